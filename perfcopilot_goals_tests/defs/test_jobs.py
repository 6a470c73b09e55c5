"""The jobs for the people in the UI: what their logs answer, what they change, and what they refuse in our words."""

import threading
from typing import Any

import dagster as dg
import psycopg
import pytest

from perfcopilot_goals.asana.pacing import token_identity
from perfcopilot_goals.defs.jobs import JOBS
from perfcopilot_goals.sandbox import Person
from perfcopilot_goals.storage.locks import token_lock
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.defs.running_instance import TOKEN, Running, error_code, failure
from perfcopilot_goals_tests.scripted_faults import Script
from perfcopilot_goals_tests.storage.examples import eventually

STEPS = {"set_workspace": "change_connection", "match_employees": "match_users"}
PEOPLE = ("Ada", "Ben", "Cleo", "Thimble", "example.com", "Grow web traffic", TOKEN)


def run(running: Running, job: str, **config: Any) -> dg.ExecuteInProcessResult:
    """What the launchpad does: one run for the connection, with this config."""
    given = {"ops": {STEPS[job]: {"config": config}}} if config else None
    return running.definitions.resolve_job_def(job).execute_in_process(
        partition_key=running.name, instance=running.instance, run_config=given, raise_on_error=False
    )


def log_of(running: Running, result: dg.ExecuteInProcessResult) -> str:
    """What our code wrote to the run's log. Nobody's name, no goal's text and no token stands anywhere in the run."""
    records = running.instance.all_logs(result.run_id)
    whole = str(records)
    assert not [word for word in PEOPLE if word in whole]
    return "\n".join(record.user_message for record in records if not record.is_dagster_event)


def settings_of(running: Running) -> dict[str, Any]:
    (row,) = running.rows("connections")
    return {name: row[name] for name in ("workspace_gid", "enabled", "base_url", "token_ref")}


def set_gid(running: Running, gid: str | None) -> None:
    with psycopg.connect(running.database.url) as conn:
        conn.execute("update perfcopilot_goals.connections set workspace_gid = %s", [gid])


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_each_job_is_of_one_connection_in_one_process_and_every_field_of_its_form_is_described(
    job: dg.JobDefinition,
) -> None:
    assert job.executor_def.name == "in_process"
    assert isinstance(job.partitions_def, dg.DynamicPartitionsDefinition)
    assert (job.description or "").startswith("Use it when ")
    (step,) = job.nodes
    assert isinstance(step.definition, dg.OpDefinition)
    assert step.definition.pool == "asana"
    config = step.definition.config_schema.as_field().config_type
    fields = getattr(config, "fields", {})
    assert set(fields) <= {"workspace_gid", "even_if_unseen", "enabled", "apply"}
    assert all(field.description and not field.is_required for field in fields.values())


def test_inspecting_says_whose_token_it_is_what_it_sees_and_what_the_next_sync_costs(running: Running) -> None:
    assert running.sync().success
    before = running.asana.count()
    result = run(running, "inspect_connection")
    assert result.success
    log = log_of(running, result)
    assert "The token is that of Asana user 1; it sees 1 workspaces." in log
    assert "It sees workspace 77 (Small) <- this connection" in log
    assert "Goals answer in workspace 77." in log
    assert "The next sync needs 5 requests, " in log
    assert running.asana.count() - before == 3
    assert len(running.sync_log()) == 1, "it is no sync"


def test_inspecting_a_connection_without_a_workspace_lists_those_to_choose_from(running: Running) -> None:
    set_gid(running, None)
    result = run(running, "inspect_connection")
    assert result.success
    log = log_of(running, result)
    assert "It sees workspace 77 (Small)" in log
    assert "No workspace is set yet. Set one of these with the job set_workspace." in log


def test_inspecting_a_wrong_workspace_lists_the_right_ones_and_then_fails_as_a_sync_would(running: Running) -> None:
    set_gid(running, "404")
    result = run(running, "inspect_connection")
    assert error_code(result) == "GoalsConfigError"
    assert "Asana knows no workspace 404 for this token" in failure(result)
    assert f"connection set {running.name} --workspace-gid GID, or the job set_workspace in the UI" in failure(result)
    assert "the token sees these workspaces: 77. Set the right one" in failure(result), "where the run's page stops"
    assert "It sees workspace 77 (Small)" in log_of(running, result)
    assert running.sync_log() == []


def test_inspecting_a_workspace_whose_plan_has_no_goals_says_so(running: Running) -> None:
    running.asana.faults = Script().on(faults.status(402, "Payment Required"), path="/goals")
    result = run(running, "inspect_connection")
    assert error_code(result) == "AsanaAccessError"
    assert "the workspace's plan does not include Goals" in failure(result)
    assert "Goals answer" not in log_of(running, result)


def test_a_workspaces_hostile_name_stays_within_its_line_of_the_log(running: Running) -> None:
    running.world.workspace_name = "Evil\r\n2026-01-01 ERROR all gone\x1b[31m\u202e"
    log = log_of(running, run(running, "inspect_connection"))
    assert "It sees workspace 77 (Evil 2026-01-01 ERROR all gone (31m) <- this connection" in log


def test_the_right_workspace_is_set_and_the_job_says_what_happens_next(running: Running) -> None:
    set_gid(running, "404")
    assert not running.sync().success
    result = run(running, "set_workspace", workspace_gid=" 77 ")
    assert result.success
    assert settings_of(running)["workspace_gid"] == "77"
    assert "fixed_connection_sensor syncs it within half a minute" in log_of(running, result)
    assert running.sync().success


def test_a_workspace_that_the_token_does_not_see_is_refused_unless_that_is_meant(running: Running) -> None:
    before = settings_of(running)
    refused = run(running, "set_workspace", workspace_gid="78")
    assert error_code(refused) == "GoalsConfigError"
    assert "the token does not see workspace 78; nothing was changed. It sees 77." in failure(refused)
    assert settings_of(running) == before
    asked = running.asana.count()
    assert run(running, "set_workspace", workspace_gid="78", even_if_unseen=True).success
    assert settings_of(running) == before | {"workspace_gid": "78"}
    assert running.asana.count() == asked


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, "neither workspace_gid nor enabled was given"),
        ({"workspace_gid": "12x"}, "the workspace GID must be Asana's numeric id"),
        ({"workspace_gid": "https://app.asana.com/1/77/home"}, "must be Asana's numeric id"),
        ({"workspace_gid": "12x", "even_if_unseen": True}, "the workspace GID must be Asana's numeric id"),
    ],
    ids=["nothing", "letters", "address", "letters-unseen"],
)
def test_what_cannot_be_a_workspace_is_refused_before_asana_is_asked(
    running: Running, config: dict[str, Any], says: str
) -> None:
    result = run(running, "set_workspace", **config)
    assert error_code(result) == "GoalsConfigError"
    assert says in failure(result)
    assert running.asana.count() == 0


def test_a_connection_is_disabled_and_enabled_and_asana_is_not_asked(running: Running) -> None:
    before = settings_of(running)
    for enabled, says in ((False, "disabled, so it is not synced"), (True, "workspace 77, enabled.")):
        result = run(running, "set_workspace", enabled=enabled)
        assert result.success
        assert settings_of(running) == before | {"enabled": enabled}
        assert says in log_of(running, result)
    assert running.asana.count() == 0


def test_matching_names_ids_and_maps_nobody_until_told_to(running: Running) -> None:
    running.world.people["3"] = Person("3", "Cleo", "cleo@example.com")
    looked = run(running, "match_employees")
    assert looked.success
    log = log_of(running, looked)
    assert "1 employees were unmapped: 1 exact, which apply: true maps; 0 hints" in log
    assert "E3: exact Asana user 3 (same e-mail)" in log
    mapped = {row["employee_id"]: row["asana_user_gid"] for row in running.rows("employees")}
    assert mapped == {"E1": "1", "E2": "2", "E3": None}
    applied = run(running, "match_employees", apply=True)
    assert "1 employees were unmapped: 1 mapped" in log_of(running, applied)
    mapped = {row["employee_id"]: row["asana_user_gid"] for row in running.rows("employees")}
    assert mapped == {"E1": "1", "E2": "2", "E3": "3"}


def test_a_job_waits_while_a_sync_has_the_token(running: Running) -> None:
    """It asks Asana as a sync does, so that the two together keep to the token's limit."""
    # The sessions of whoever has the token and of whoever waits for it do nothing else.
    query = (
        "select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
        "and query like '%pg_try_advisory_lock%'"
    )
    with (
        token_lock(running.database, token_identity(TOKEN)),
        psycopg.connect(running.database.url, autocommit=True) as admin,
    ):
        ended = threading.Event()
        results: list[dg.ExecuteInProcessResult] = []

        def work() -> None:
            results.append(run(running, "inspect_connection"))
            ended.set()

        thread = threading.Thread(target=work)
        thread.start()
        eventually(lambda: admin.execute(query).rowcount >= 2)
        assert not ended.is_set()
        assert running.asana.count() == 0
    thread.join()
    (result,) = results
    assert result.success
    assert "another sync is using the same Asana token" in log_of(running, result)


def test_a_partition_that_is_no_connection_fails_in_our_words(running: Running) -> None:
    running.instance.add_dynamic_partitions("connections", ["by-hand"])
    for job in ("inspect_connection", "set_workspace", "match_employees"):
        result = running.definitions.resolve_job_def(job).execute_in_process(
            partition_key="by-hand", instance=running.instance, raise_on_error=False
        )
        assert error_code(result) == "GoalsConfigError"
        assert "there is no connection 'by-hand'" in failure(result)
