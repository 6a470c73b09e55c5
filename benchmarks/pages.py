"""How long a page of the admin page takes, asked one at a time, from the request to the last byte."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from statistics import median
from typing import Any
from urllib.parse import urljoin

import requests

from benchmarks.measuring import CLI
from benchmarks.scale import Scale
from benchmarks.workplace import Workplace, workplace
from perfcopilot_goals.cli.ports import free_port
from perfcopilot_goals.storage.database import driver

TITLE = "Pages of the admin page"
GOALS = 200
TIMES = 20
# A tenth is unmapped. One employee owns 200 goals with a key result each, and the longest descriptions.
_FILL = (
    "update perfcopilot_goals.employees set asana_user_gid = null where employee_id like '%0'",
    f"""insert into perfcopilot_goals.mapped_goal_rows
    select 'company-00001', now(), 'r', n::text, case kind when 'goal' then '' else '9' end || n, 'E1', kind, 2 * n,
        'Grow web traffic by ' || n || ' percent', case kind when 'goal' then repeat('<li>Why it matters</li>', 40) end,
        null, null, 'behind', 'at_risk'
    from generate_series(1, {GOALS}) n, unnest(array['goal', 'key_result']) kind""",
    f"""insert into perfcopilot_goals.prompt_blocks (connection, synced_at, run_id, employee_id, block, goals_owned,
        goals_listed, key_results_listed, truncated, citations, reason)
    values ('company-00001', now(), 'r', 'E1', repeat('- Goal (status: at_risk): Grow web traffic\\n', 400), {GOALS},
        {GOALS}, {GOALS}, false, '[]', 'ok')""",
)


def run(scale: Scale) -> Iterator[dict[str, Any]]:
    """A row for each page: the median and the longest of its times."""
    employees = scale.employees
    with workplace() as place:
        place.seed(1, employees)
        with place.database.connect("preparing the benchmark") as conn:
            for statement in _FILL:
                driver(conn).execute(statement)
        pages = {
            f"Employees, {employees:,} on the roster": "/admin?tab=employees",
            "the same, its last page": f"/admin?tab=employees&mapped={employees * 9 // 10 // 50}",
            "the same, searched": "/admin?tab=employees&q=Person+99",
            "Goals, whose to look at": "/admin?tab=goals",
            f"Goals of one with {GOALS}": "/admin?tab=goals&connection=company-00001&employee=E1",
            "Integrations": "/admin?tab=integrations",
        }
        yield from _measure(place, pages)


def _measure(place: Workplace, pages: dict[str, str]) -> Iterator[dict[str, Any]]:
    command = [*CLI, "admin", "--port", str(free_port())]
    process = subprocess.Popen(command, env=place.environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        (link,) = re.findall(r"http\S+", process.stdout.readline())
        browser = requests.Session()
        browser.trust_env = False
        browser.get(link, timeout=60).raise_for_status()
        for page, path in pages.items():
            address = urljoin(link, path)
            _seconds(browser, address)
            times = [_seconds(browser, address) for _ in range(TIMES)]
            yield {"page": page, "median, ms": round(1000 * median(times)), "longest, ms": round(1000 * max(times))}
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _seconds(browser: requests.Session, address: str) -> float:
    began = time.perf_counter()
    browser.get(address, timeout=60).raise_for_status()
    return time.perf_counter() - began
