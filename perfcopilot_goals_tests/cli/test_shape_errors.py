"""An Asana that sends what was not agreed: the commands say where, for which connection, and what to do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from perfcopilot_goals.cli import main
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.sandbox import Fault, Person, Sandbox, World
from perfcopilot_goals.storage.connections import add_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals_tests import scripted_faults as faults

TOKEN, CANARY = "canary-token-4d1e", "Canary Quill"
RUN_IT_AGAIN = "no block was changed. Run it again; if the error stays, Asana's API has changed"


@pytest.fixture
def asana() -> Iterator[Sandbox]:
    with Sandbox(World("77", CANARY, {"1": Person("1", CANARY, "ada@example.com")}), token=TOKEN) as asana:
        yield asana


@pytest.fixture
def run(asana: Sandbox, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command beside a connection `acme` to the stand-in."""
    monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", database.url)
    monkeypatch.setenv("PERFCOPILOT_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("ASANA_ACCESS_TOKEN", TOKEN)
    with database.connect("connecting") as conn:
        row = Connection("acme", "77", "env:ASANA_ACCESS_TOKEN", asana.base_url, 60_000, "auto", enabled=True)
        add_connection(conn, row)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)

    return run


CHECK, SUGGEST = ("connection", "check", "acme"), ("employee", "suggest", "acme")


def without_name(body: Any) -> Any:
    del body["data"]["name"]
    return body


@pytest.mark.parametrize(
    ("command", "fault", "code", "says"),
    [
        (CHECK, faults.edit(without_name), 4, f"GET /users/me: field name is missing or not text; {RUN_IT_AGAIN}"),
        (CHECK, faults.status(400, CANARY), 4, "GET /users/me answered 400: Asana refused the request's fields"),
        (CHECK, faults.status(401, CANARY), 3, "GET /users/me answered 401: Asana does not accept the token"),
        (
            SUGGEST,
            faults.edit_rows(lambda row: row | {"name": [CANARY]}),
            4,
            f"GET /users: object 1: field name is a list, not text; {RUN_IT_AGAIN}",
        ),
        (
            SUGGEST,
            faults.edit_rows(lambda row: row | {"gid": 1}),
            4,
            f"GET /users: object number 1 of the list: field gid is a number, not a string of digits; {RUN_IT_AGAIN}",
        ),
        (
            SUGGEST,
            faults.without("next_page"),
            4,
            f"GET /users: `next_page` is missing or has no offset; {RUN_IT_AGAIN}",
        ),
        (SUGGEST, faults.status(400, CANARY), 4, "GET /users answered 400: Asana refused the request's fields"),
    ],
)
@pytest.mark.fault("C32", "C33")
def test_a_command_that_asks_asana_names_connection_request_and_field(
    command: tuple[str, ...], fault: Fault, code: int, says: str, asana: Sandbox, run: Any
) -> None:
    asana.faults = fault
    done = run(*command)
    kind = "AsanaContractError" if code == 4 else "AsanaAccessError"
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith(f"{kind}: connection acme: {says}")
    assert CANARY not in done.output
    assert TOKEN not in done.output
