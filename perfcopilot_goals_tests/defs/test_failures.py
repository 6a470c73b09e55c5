"""No failure, and no success either, leaves behind what it must not: tokens, passwords, goals, people."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import psycopg
import pytest

from perfcopilot_goals.asana.pacing import ATTEMPTS
from perfcopilot_goals.defs import assets
from perfcopilot_goals.defs.build import build_definitions
from perfcopilot_goals.defs.failures import as_failures
from perfcopilot_goals.errors import AsanaAccessError, AsanaUnavailableError, GoalsStoreError
from perfcopilot_goals.local_postgres.files import locate
from perfcopilot_goals.sandbox import Goal, Sandbox, World
from perfcopilot_goals.schemas.tables import Slice
from perfcopilot_goals.settings import Settings, load_settings
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.clock import FakeClock
from perfcopilot_goals_tests.defs.running_instance import Running, error_code, failure, failures, small_world
from perfcopilot_goals_tests.scripted_faults import Script, asks_subgoals_of
from perfcopilot_goals_tests.storage.examples import everything

TOKEN = "canary-token-5f1b"
GOAL, NOTE, PERSON, MAIL, BODY = "CanaryGoal", "CanaryNote", "CanaryPerson", "canary@mail.example", "CanaryBody"
PASSWORD = "canary-password-77"
CANARIES = (TOKEN, GOAL, NOTE, PERSON, MAIL, BODY, PASSWORD)


def canary_world() -> World:
    """The small company with a canary in every text."""
    world = small_world()
    for gid, goal in list(world.goals.items()):
        world.goals[gid] = Goal(gid, f"{GOAL} {gid}", goal.owner_gid, html_notes=f"<body>{NOTE}</body>")
    world.roster = [
        type(one)(one.employee_id, f"{PERSON} {one.employee_id}", MAIL, one.asana_user_gid) for one in world.roster
    ]
    return world


@pytest.fixture
def asana() -> Iterator[Sandbox]:
    with Sandbox(canary_world(), token=TOKEN) as asana:
        yield asana


@pytest.fixture
def running(running: Running, real_instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Running:
    """A company whose syncs run on the checkout's own instance."""
    monkeypatch.setenv("ASANA_ACCESS_TOKEN", TOKEN)
    running.instance = real_instance
    real_instance.add_dynamic_partitions("connections", [running.name])
    return running


class Places:
    """Everywhere that a run writes but the goal tables."""

    def __init__(self, url: str, home: Path, log: Path, capture: pytest.CaptureFixture[str], caplog: Any) -> None:
        self.url, self.home, self.log, self.capture, self.caplog = url, home, log, capture, caplog
        self.log_bytes = log.stat().st_size

    def text(self) -> dict[str, str]:
        """What stands where."""
        out, err = self.capture.readouterr()
        found = {"stdout": out, "stderr": err, "log": self.caplog.text}
        with self.log.open("rb") as log:
            log.seek(self.log_bytes)
            found["postgres"] = log.read().decode("utf-8", "replace")
        for path in self.home.rglob("*"):
            if path.is_file():
                found[str(path)] = path.read_bytes().decode("utf-8", "replace")
        with psycopg.connect(self.url) as conn:
            tables = conn.execute(
                "select table_name from information_schema.tables where table_schema = 'perfcopilot_dagster'"
            ).fetchall()
            for (table,) in [*tables]:
                rows = conn.execute(f"select t::text from perfcopilot_dagster.{table} t")
                found[table] = "\n".join(row for (row,) in rows)
            sync_log = conn.execute("select t::text from perfcopilot_goals.syncs t").fetchall()
            found["syncs"] = str(sync_log)
        return found

    def assert_clean(self) -> None:
        own_password = urlsplit(self.url).password
        assert own_password
        text = self.text()
        assert len(text["event_logs"]) > 1000
        for place, found in text.items():
            for canary in (*CANARIES, own_password):
                assert canary not in found, f"{canary} in {place}"


@pytest.fixture
def places(
    running: Running,
    database_url: str,
    server: Settings,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Places:
    return Places(database_url, tmp_path / "state", locate(server).log, capfd, caplog)


@pytest.mark.fault("H3", "H6", "H28")
def test_a_sync_that_succeeds_leaves_nothing_outside_its_tables(running: Running, places: Places) -> None:
    assert running.sync(checked=True).success
    assert GOAL in str(everything(running.database)["prompt_blocks"])
    assert PERSON in str(everything(running.database)["employees"])
    places.assert_clean()


def quoting(status: int) -> Any:
    """An error that quotes the request and more."""
    body = f'{{"errors": [{{"message": "{BODY} Bearer {TOKEN} {GOAL}"}}]}}'
    return faults.reply(status, body.encode())


def edited(**changes: Any) -> Any:
    return faults.edit_rows(lambda row: row | changes)


FAULTS: list[tuple[str, str, Script]] = [
    ("a token refused", "AsanaAccessError", Script().on(quoting(401), path="/goals")),
    ("a strange status", "AsanaContractError", Script().on(quoting(418), path="/goals")),
    ("a plan that ended", "AsanaAccessError", Script().on(quoting(402), when=asks_subgoals_of("103"))),
    (
        "a page for people",
        "AsanaContractError",
        Script().on(faults.reply(200, BODY.encode(), content_type="text/html")),
    ),
    ("a body of text", "AsanaContractError", Script().on(faults.reply(200, f'"{BODY}"'.encode()))),
    ("a gid of text", "AsanaContractError", Script().on(edited(gid=GOAL))),
    ("a date of text", "AsanaContractError", Script().on(edited(due_on=GOAL))),
    ("an owner of text", "AsanaContractError", Script().on(edited(owner=PERSON))),
    ("a redirect", "AsanaContractError", Script().on(faults.reply(302, BODY.encode(), Location=f"/{BODY}"))),
]


@pytest.mark.fault("H27", "H3")
def test_what_asana_sends_is_not_repeated(running: Running, places: Places, instance: dg.DagsterInstance) -> None:
    on_postgres = running.instance
    for number, (kind, code, fault) in enumerate(FAULTS):
        # The first on Postgres, where every place is looked at; the others in memory, where a run takes a third.
        running.instance = on_postgres if number == 0 else instance
        running.instance.add_dynamic_partitions("connections", [running.name])
        running.asana.faults = fault
        result = running.sync()
        assert error_code(result) == code, kind
        log = "".join(map(str, running.instance.all_logs(result.run_id)))
        assert code in log
        assert not [canary for canary in CANARIES if canary in log], kind
    places.assert_clean()


def test_a_token_that_is_no_token_is_not_repeated(
    running: Running, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASANA_ACCESS_TOKEN", f"{TOKEN}\n{TOKEN}")
    assert error_code(running.sync()) == "GoalsConfigError"
    places.assert_clean()


@pytest.mark.fault("D5", "H3")
def test_a_database_url_is_not_repeated(running: Running, places: Places) -> None:
    for place, code in (
        ("[::1/db", "GoalsConfigError"),
        ("127.0.0.1:1/db", "GoalsStoreError"),
        ("h1:1,127.0.0.1:1/db", "GoalsStoreError"),
    ):
        running.definitions = build_definitions(
            load_settings({"PERFCOPILOT_DATABASE_URL": f"postgresql://user:{PASSWORD}@{place}"})
        )
        assert error_code(running.sync()) == code, place
    places.assert_clean()
    assert running.asana.count() == 0


@pytest.fixture
def trap(database_url: str) -> Iterator[Callable[[str], None]]:
    """Changes a table for one test."""
    undo = [
        "drop trigger if exists trap on perfcopilot_goals.owned_goals",
        "drop function if exists trap",
        "alter table perfcopilot_goals.owned_goals drop constraint if exists trap",
        "alter table perfcopilot_goals.owned_goals alter owned_rank type integer using 1, "
        "alter owned_total type integer using 1",
    ]

    def lay(statement: str) -> None:
        with psycopg.connect(database_url) as conn:
            conn.execute(statement)

    yield lay
    for statement in undo:
        lay(statement)


REFUSED = {
    "23514": "alter table perfcopilot_goals.owned_goals add constraint trap check (name not like 'Canary%')",
    "53100": (
        "alter table perfcopilot_goals.owned_goals drop constraint trap; "
        "create function trap() returns trigger language plpgsql as $$ begin "
        "raise exception 'refused: %', new using errcode = '53100', detail = new::text; end $$; "
        "create trigger trap before insert on perfcopilot_goals.owned_goals for each row execute function trap()"
    ),
}


@pytest.mark.fault("E17", "H3")
def test_a_row_that_postgres_refuses_is_not_repeated(
    running: Running, places: Places, trap: Callable[[str], None]
) -> None:
    for code, statement in REFUSED.items():
        trap(statement)
        told = failure(running.sync())
        assert told.startswith(f"GoalsStoreError: connection {running.name}: replacing owned_goals: ")
        assert f"SQLSTATE {code}" in told
    places.assert_clean()


def test_an_unexpected_error_is_reported_by_class_and_place(
    running: Running, places: Places, trap: Callable[[str], None]
) -> None:
    """A rank that is text and holds a name: turning it into a number quotes it."""
    assert running.sync(only=["raw_workspace_goals", "owned_goals", "subgoals"]).success
    trap(f"alter table perfcopilot_goals.owned_goals alter owned_rank type text using '{GOAL}'")
    result = running.sync(only=["mapped_goal_rows"])
    told = failure(result)
    assert told.startswith(f"ValueError in connection {running.name}, an error of the program itself: ")
    assert "frame in tables.py" in told
    assert error_code(result) == running.sync_log()[-1]["error_code"] == "ValueError"
    places.assert_clean()


@pytest.mark.fault("H5")
def test_with_dagsters_own_redaction_on_no_more_comes_to_light_and_the_kind_of_error_still_does(
    running: Running, places: Places, trap: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Dagster redacts from its event log it prints in full to where runs print, and keeps that as a log."""
    monkeypatch.setenv("DAGSTER_REDACT_USER_CODE_ERRORS", "1")
    assert running.sync(only=["raw_workspace_goals", "owned_goals", "subgoals"]).success
    trap(f"alter table perfcopilot_goals.owned_goals alter owned_rank type text using '{GOAL}'")
    assert error_code(running.sync(only=["mapped_goal_rows"])) == "ValueError"
    assert running.sync_log()[-1]["error_code"] == "ValueError"
    places.assert_clean()


def test_an_asset_that_breaks_is_reported_by_class_and_place(running: Running, places: Places) -> None:
    @assets._slice_asset("pandas")
    def owned_goals(raw_workspace_goals: Any) -> Slice:
        names = {name: name for name in raw_workspace_goals["name"]}
        return Slice(names[f"{GOAL} that is not there"])

    running.sync(only=["raw_workspace_goals"])
    store = running.definitions.resources or {}
    result = dg.materialize(
        [owned_goals, *assets.SOURCE_ASSETS, assets.raw_workspace_goals],
        selection=["owned_goals"],
        partition_key=running.name,
        instance=running.instance,
        resources=dict(store),
        raise_on_error=False,
    )
    assert failure(result).startswith(f"KeyError in connection {running.name}, an error of the program itself: owned_")
    assert running.sync_log()[-1]["error_code"] == "KeyError"
    places.assert_clean()


def test_a_check_that_breaks_is_reported_the_same_way(
    running: Running, places: Places, trap: Callable[[str], None]
) -> None:
    running.sync(only=["raw_workspace_goals", "owned_goals"])
    trap(f"alter table perfcopilot_goals.owned_goals alter owned_total type text using '{GOAL}'")
    # owned_goals is not made anew, so that only its check reads the broken table.
    result = running.definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=frozenset(),
        asset_check_selection={dg.AssetCheckKey(dg.AssetKey("owned_goals"), "no_employee_is_truncated")},
    ).execute_in_process(partition_key=running.name, instance=running.instance, raise_on_error=False)  # fmt: skip
    assert [told.partition(" in connection")[0] for told in failures(result)] == ["ValueError"]
    places.assert_clean()


def caught(error: BaseException, connection: str = "acme") -> tuple[dg.Failure, list[str]]:
    noted: list[str] = []
    with pytest.raises(dg.Failure) as failed, as_failures(connection, lambda code, _: noted.append(code)):
        raise error
    return failed.value, noted


@pytest.mark.parametrize(
    "error",
    [
        AsanaAccessError("connection acme: no"),
        AsanaUnavailableError("later"),
        GoalsStoreError("full", "53100"),
        KeyError("Bob"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_carries_its_class_and_no_cause_and_is_recorded(error: Exception) -> None:
    failed, recorded = caught(error)
    assert recorded == [type(error).__name__]
    assert failed.metadata["error_code"].value == type(error).__name__
    assert failed.__cause__ is None


@pytest.mark.fault("G6")
def test_the_clients_attempts_are_not_multiplied_by_dagster(running: Running) -> None:
    """A retry of the step on top would send sixteen requests, and hold the token for longer than a sync may."""
    running.definitions = build_definitions(load_settings(), clock=FakeClock())
    running.asana.faults = Script().on(faults.status(503, "Busy"), path="/goals")
    result = running.sync()
    assert error_code(result) == "AsanaUnavailableError"
    assert running.asana.count() == ATTEMPTS
    assert [event.step_key for event in result.all_events if event.is_step_start] == ["raw_workspace_goals"]
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


def test_the_text_of_an_unexpected_error_stays_inside() -> None:
    failed, _ = caught(ValueError("Bob is on a PIP"))
    assert "Bob" not in str(failed)
    assert "caught in test_failures.py:" in str(failed.description)


def test_a_failure_is_passed_on_as_it_is() -> None:
    told = dg.Failure("already told")
    assert caught(told) == (told, [])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_somebody_who_wants_out_gets_out(error: BaseException) -> None:
    noted: list[str] = []
    with pytest.raises(type(error)), as_failures("acme", lambda code, _: noted.append(code)):
        raise error
    assert noted == ["Interrupted"]


def test_a_sync_log_that_cannot_be_reached_does_not_hide_the_failure() -> None:
    def note(_code: str, _remedy: str | None) -> None:
        raise GoalsStoreError("noting: no answer")

    with pytest.raises(dg.Failure, match="AsanaAccessError: connection acme: no"), as_failures("acme", note):
        raise AsanaAccessError("no")
