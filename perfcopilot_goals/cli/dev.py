"""`demo`, `dev` and `sandbox`: the product with a sample company, its UI, and the stand-in Asana alone."""

import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import click

from perfcopilot_goals import services
from perfcopilot_goals.cli.ports import check_port, free_port
from perfcopilot_goals.cli.session import Session, pass_session
from perfcopilot_goals.cli.sync import sync_connections
from perfcopilot_goals.cli.terminal import echo
from perfcopilot_goals.domain.web_address import is_loopback
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.sandbox import Sandbox, generated_world, now_and_then, roster_csv, sample_company
from perfcopilot_goals.settings import make_token_folder

DEMO = "demo"
# For `dev`: a connection that fails, to be corrected and then seen working.
BROKEN = "demo-wrong-gid"
WRONG_GID = "1200000000000404"
# Employees of the sample company. Their blocks show what a block can be.
SHOWN = {
    "E020": "a few goals",
    "E013": "key results, some of them a colleague's",
    "E005": "names that try to forge the block",
    "E003": "more goals than the cap",
    "E015": "no goals",
}
LINES_SHOWN = 16


@click.command("sandbox")
@click.option("--port", type=click.IntRange(0, 65535), default=8787, show_default=True, help="0 takes a free port.")
@click.option(
    "--token", "tokens", multiple=True, default=["sandbox-token"], show_default=True, help="The tokens it accepts."
)
@click.option(
    "--routes", type=click.Choice(["both", "goal_relationships", "subgoals"]), default="goal_relationships",
    show_default=True, help="The sub-goal routes it has; today's Asana documents goal_relationships only.",
)  # fmt: skip
@click.option("--goals", type=click.IntRange(0), help="Serve this many generated goals, not the sample company.")
@click.option("--subgoals", type=click.IntRange(0), help="How many of the generated goals are sub-goals.")
@click.option("--people", type=click.IntRange(1), default=50, show_default=True, help="Who owns the generated goals.")
@click.option("--latency-ms", type=click.IntRange(0), default=0, show_default=True, help="Time each response takes.")
@click.option("--requests-per-minute", type=click.IntRange(1), help="Reject requests over this limit.")
@click.option("--burst", type=click.IntRange(1), help="How many requests may come at once under that limit.")
@click.option("--fault-percent", type=click.IntRange(0, 100), default=0, show_default=True, help="Responses that fail.")
@click.option("--roster", type=click.Path(dir_okay=False, path_type=Path), help="Write the company's roster to a file.")
def sandbox(
    port: int,
    tokens: tuple[str, ...],
    routes: Literal["both", "goal_relationships", "subgoals"],
    goals: int | None,
    subgoals: int | None,
    people: int,
    latency_ms: int,
    requests_per_minute: int | None,
    burst: int | None,
    fault_percent: int,
    roster: Path | None,
) -> None:
    """Serve a small stand-in Asana on 127.0.0.1 until it is interrupted."""
    if subgoals is not None and subgoals >= (goals or 0):
        raise click.UsageError("--subgoals has to be less than --goals")
    token = tokens[0]
    world = sample_company() if goals is None else generated_world(goals, people, subgoals=subgoals)
    if port:
        check_port(port, "sandbox --port N")
    if roster is not None:
        try:
            roster.write_text(roster_csv(world), "utf-8")
        except OSError as error:
            raise click.BadParameter(f"cannot be written: {error.strerror}", param_hint="--roster") from None
    with Sandbox(
        world,
        token=token,
        more_tokens=tokens[1:],
        port=port,
        latency_seconds=latency_ms / 1000,
        faults=now_and_then(fault_percent / 100),
        routes=routes,
        requests_per_minute=requests_per_minute,
        burst=burst,
    ) as asana:
        echo(f"Asana's stand-in: {asana.base_url}")
        echo(f"token {token}, workspace {world.workspace_gid}, {len(world.goals)} goals")
        echo(f"connect: ASANA_ACCESS_TOKEN={token} perfcopilot-goals connection add sandbox \\")
        echo(f"  --workspace-gid {world.workspace_gid} --base-url {asana.base_url}")
        _wait_for_signal()


@click.command("demo")
@pass_session
def demo(session: Session) -> None:
    """Sync a sample company from a stand-in Asana and show its blocks. Nothing has to be configured."""
    echo("Starting Postgres and a stand-in Asana with a sample company …")
    with _open_sample(session) as (asana, _):
        echo(f"Syncing {len(asana.world.goals)} goals of connection {DEMO}:")
        (code,) = sync_connections(session, (DEMO,), every=False, allow_empty=False)
    if code:
        sys.exit(code)
    _show_blocks(session)


@click.command("dev")
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.option(
    "--admin-port", type=click.IntRange(1, 65535), help="Of the admin page; by default a free one near --port."
)
@click.option("--demo/--no-demo", "with_demo", default=True, help="Whether the sample company is there to click on.")
@pass_session
def dev(session: Session, port: int, admin_port: int | None, with_demo: bool) -> None:
    """Run the Dagster UI with its daemon, and the admin page, on 127.0.0.1 until interrupted."""
    if port == admin_port:
        raise click.UsageError(f"--port and --admin-port are both {port}; name two")
    check_port(port, "dev --port N")
    page_port = free_port(port + 1) if admin_port is None else admin_port
    check_port(page_port, "dev --admin-port N")
    session.database.url  # noqa: B018  starts the local Postgres, which this process keeps while Dagster runs
    if not with_demo:
        sys.exit(_run(session, port, page_port))
    with _open_sample(session, with_broken=True) as (asana, never_synced):
        if BROKEN in never_synced:
            echo(f"Connection {BROKEN} has a wrong workspace GID on purpose. See it fail, mend it and see it heal:")
            echo(f"  perfcopilot-goals connection set {BROKEN} --workspace-gid {asana.world.workspace_gid}")
        echo(
            f"The blocks of {DEMO}, once they are synced: http://127.0.0.1:{port}/assets/prompt_blocks?view=partitions"
        )
        echo(f"One of them: perfcopilot-goals prompt {DEMO} {next(iter(SHOWN))}")
        sys.exit(_run(session, port, page_port, never_synced))


@contextmanager
def _open_sample(session: Session, *, with_broken: bool = False) -> Iterator[tuple[Sandbox, tuple[str, ...]]]:
    """Serves the sample company, connected and with its roster; yields it and the connections never synced.

    With `with_broken` there is a second one. Its workspace GID is wrong on purpose; once corrected it stays so.
    `GoalsConfigError` if a connection has one of their names and is not the sample's.
    """
    token_file = make_token_folder(session.settings) / "sandbox"
    if not token_file.exists():
        # A secret like any other, so that the demo handles it like one.
        token_file.touch(0o600)
        token_file.write_text(f"{secrets.token_urlsafe(24)}\n")
    with Sandbox(sample_company(), token=token_file.read_text().strip()) as asana:
        wanted = {DEMO: asana.world.workspace_gid} | ({BROKEN: WRONG_GID} if with_broken else {})
        _connect(session, wanted, asana, {"base_url": asana.base_url, "token_ref": f"file:{token_file}"})
        yield asana, tuple(name for name in services.status.find_never_synced(session.database) if name in wanted)


def _connect(session: Session, wanted: Mapping[str, str], asana: Sandbox, address: Mapping[str, str]) -> None:
    """Points connections with these workspace GIDs to the sandbox, and fills their rosters."""
    database, settings = session.database, session.settings
    existing = {connection.connection: connection for connection in services.connections.list_connections(database)}
    for name in wanted:
        if name in existing and not is_loopback(urlsplit(existing[name].base_url).hostname or ""):
            raise GoalsConfigError(
                f"connection {name} is not the sample's, so nothing was changed",
                connection=name,
                action="Use another database for the sample, or leave it out: perfcopilot-goals dev --no-demo",
            )
    for name, workspace_gid in wanted.items():
        if name in existing:
            services.connections.change_connection(database, settings, name, address)
        else:
            # The sandbox has no limit; at a real token's 1,500 a minute the demo would take half a minute.
            given = {"workspace_gid": workspace_gid, "requests_per_minute": 60_000, **address}
            services.connections.create_connection(database, settings, name, given)
        # Also if an earlier demo was killed before this.
        if not services.roster.list_employees(database, name):
            services.roster.import_roster(database, name, roster_csv(asana.world))


def _show_blocks(session: Session) -> None:
    """Prints some of the stored blocks, long ones without their middle, and what to do next."""
    for employee_id, what in SHOWN.items():
        stored, _ = services.prompts.find_prompt(session.database, DEMO, employee_id)
        lines = stored.block.split("\n")
        echo("", f"{employee_id}: {what}")
        left_out = len(lines) - LINES_SHOWN
        if left_out > 1:
            lines[LINES_SHOWN // 2 : -LINES_SHOWN // 2] = [f"  … {left_out} lines more …"]
        echo(*lines)
    echo(
        "",
        "Next: perfcopilot-goals prompt demo E003, status, employee unmapped demo. "
        "make dev opens the UI and the admin page.",
    )


def _run(session: Session, port: int, page_port: int, never_synced: tuple[str, ...] = ()) -> int:
    """Runs Dagster and the admin page as children until Dagster or a signal ends them; returns Dagster's exit code.

    Beside them, connections that were never synced are synced once.
    """
    root = session.settings.project_root
    fixed = {"DAGSTER_HOME": str(session.settings.dagster_home), "PYTHONWARNINGS": "ignore"}
    # The checks and the admin page link to the UI.
    environment = {"PERFCOPILOT_UI_URL": f"http://127.0.0.1:{port}"} | os.environ | fixed
    children: list[subprocess.Popen[bytes]] = []

    def end(*_: object) -> None:
        for process in children:
            if process.poll() is None:
                # The group, because Dagster's own children must not outlive it.
                os.killpg(process.pid, signal.SIGINT)

    # Before the child starts: a shell starts its background jobs with SIGINT ignored. Dagster would inherit that, and
    # only on SIGINT does it end in an orderly way.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    echo(f"Dagster: http://127.0.0.1:{port} (Ctrl-C ends it)")
    echo(f"Admin page: http://127.0.0.1:{page_port}/admin (its link to enter comes below)")
    command = [sys.executable, "-m", "dagster", "dev", "--host", "127.0.0.1", "--port", str(port)]
    workspace = ["--workspace", str(root / "workspace.yaml")]
    children.append(subprocess.Popen([*command, *workspace], cwd=root, env=environment, start_new_session=True))
    own = [sys.executable, "-m", "perfcopilot_goals.cli"]
    children.append(
        subprocess.Popen([*own, "admin", "--port", str(page_port)], env=environment, start_new_session=True)
    )
    if never_synced:
        subprocess.Popen([*own, "sync", *never_synced], env=environment)
    code = children[0].wait()
    end()
    children[1].wait()
    return code


def _wait_for_signal() -> None:
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    done.wait()
