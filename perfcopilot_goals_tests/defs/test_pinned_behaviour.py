"""What Dagster, pandera, pandas and psycopg do that our rules rest on; an upgrade that breaks a rule fails here."""

import datetime as dt
import importlib.metadata
from collections.abc import Callable
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pandera.pandas as pa
import psycopg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

from perfcopilot_goals.storage.database import Database

KEYS = dg.DynamicPartitionsDefinition(name="pinned")
CANARY = "Bob is on a PIP"


def events_of(result: dg.ExecuteInProcessResult) -> str:
    return "".join(str(event) for event in result.all_events)


# Dagster: why errors are replaced, and how.


def run_of(raises: Callable[[], Any], instance: dg.DagsterInstance) -> str:
    @dg.op
    def breaks() -> None:
        raises()

    @dg.job
    def job() -> None:
        breaks()

    return events_of(job.execute_in_process(instance=instance, raise_on_error=False))


def chained(hide: bool) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        raise dg.Failure("told") from (None if hide else error)


def test_an_error_is_stored_with_its_message(instance: dg.DagsterInstance) -> None:
    """So every exception is replaced by a Failure of ours."""

    def breaks() -> None:
        raise ValueError(CANARY)

    assert CANARY in run_of(breaks, instance)


def test_a_cause_is_stored_too_and_a_hidden_context_is_not(instance: dg.DagsterInstance) -> None:
    """So a Failure is raised `from None`."""
    assert CANARY in run_of(lambda: chained(hide=False), instance)
    assert CANARY not in run_of(lambda: chained(hide=True), instance)


# Dagster: why writes are guarded before they happen.


def test_a_blocking_check_fails_after_the_rows_are_stored(instance: dg.DagsterInstance) -> None:
    stored: list[Any] = []

    class Remembering(dg.IOManager):
        def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
            stored.append(obj)

        def load_input(self, context: dg.InputContext) -> Any:
            return stored[-1]

    @dg.asset(io_manager_key="remembering")
    def rows() -> str:
        return "bad rows"

    @dg.asset_check(asset=rows, blocking=True)
    def are_good() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False)

    result = dg.materialize(
        [rows, are_good], resources={"remembering": Remembering()}, instance=instance, raise_on_error=False
    )
    assert (result.success, stored) == (False, ["bad rows"])


# Dagster: why partitions, checks and the schedule are written as they are.


def keyed_asset() -> dg.AssetsDefinition:
    @dg.asset(partitions_def=KEYS)
    def keyed(context: dg.AssetExecutionContext) -> None: ...

    return keyed


def test_a_check_tells_its_partition_only_if_it_is_partitioned_itself(instance: dg.DagsterInstance) -> None:
    keyed = keyed_asset()

    @dg.asset_check(asset=keyed)
    def plain() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    @dg.asset_check(asset=keyed, partitions_def=KEYS)
    def partitioned() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    instance.add_dynamic_partitions("pinned", ["a"])
    result = dg.materialize([keyed, plain, partitioned], partition_key="a", instance=instance)
    assert {c.check_name: c.partition for c in result.get_asset_check_evaluations()} == {
        "plain": None,
        "partitioned": "a",
    }


@pytest.mark.parametrize("key", ["", "a,b", "../../evil", "a\n"], ids=ascii)
def test_any_text_can_be_registered_as_a_partition(instance: dg.DagsterInstance, key: str) -> None:
    """So a connection's name is checked by us, and an unknown one fails by name."""
    instance.add_dynamic_partitions("anything", [key])
    assert key in instance.get_dynamic_partitions("anything")


def test_a_partition_that_is_not_registered_is_refused(instance: dg.DagsterInstance) -> None:
    with pytest.raises(dg.DagsterUnknownPartitionError):
        dg.materialize([keyed_asset()], partition_key="unheard-of", instance=instance)


def test_one_unknown_partition_fails_a_whole_tick() -> None:
    """So the schedule registers connections before it requests their runs."""
    job = dg.define_asset_job("keyed_job", selection="keyed")

    @dg.schedule(job=job, cron_schedule="* * * * *")
    def schedule() -> list[dg.RunRequest]:
        return [dg.RunRequest(key, partition_key=key) for key in ("a", "unheard-of")]

    definitions = dg.Definitions(assets=[keyed_asset()], jobs=[job], schedules=[schedule])
    with dg.instance_for_test(set_dagster_home=False) as instance:
        instance.add_dynamic_partitions("pinned", ["a"])
        with (
            dg.build_schedule_context(
                instance=instance,
                scheduled_execution_time=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
                repository_def=definitions.get_repository_def(),
            ) as context,
            pytest.raises(dg.DagsterUnknownPartitionError),
        ):
            schedule.evaluate_tick(context)


def test_no_schedule_is_built_from_a_job_with_dynamic_partitions() -> None:
    """So the schedule is written out."""
    job = dg.define_asset_job("keyed_job", selection="keyed")
    definitions = dg.Definitions(
        assets=[keyed_asset()], jobs=[job], schedules=[dg.build_schedule_from_partitioned_job(job, hour_of_day=5)]
    )
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        definitions.resolve_schedule_def("keyed_job_schedule")


def test_a_resource_in_a_resource_is_another_object_than_the_runs_own(instance: dg.DagsterInstance) -> None:
    """So what a run counts is counted in one resource, and the I/O manager takes it from the asset's notes."""

    class Counter(dg.ConfigurableResource[Any]):
        _count: int = 0

    class Holder(dg.ConfigurableResource[Any]):
        counter: Counter

    same: list[bool] = []

    @dg.asset
    def looking(counter: Counter, holder: Holder) -> None:
        same.append(counter is holder.counter)

    counter = Counter()
    dg.materialize([looking], resources={"counter": counter, "holder": Holder(counter=counter)}, instance=instance)
    assert same == [False]


def test_a_run_in_process_has_no_origin_and_one_that_is_made_with_an_origin_keeps_it(
    instance: dg.DagsterInstance,
) -> None:
    """So the command line makes its runs itself: the UI hides runs without an origin, and fails to re-execute them."""

    @dg.op
    def step() -> None: ...

    @dg.job(executor_def=dg.in_process_executor)
    def job() -> None:
        step()

    plain = job.execute_in_process(instance=instance)
    origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("location"), "__repository__").get_job_origin("job")
    made = instance.create_run_for_job(job, run_config={}, tags={"key": "value"}, remote_job_origin=origin)
    result = execute_run(InMemoryJob(job), made, instance)
    stored = [instance.get_run_by_id(run_id) for run_id in (plain.run_id, result.run_id)]
    assert [run and run.remote_job_origin for run in stored] == [None, origin]
    assert [run and run.status for run in stored] == [dg.DagsterRunStatus.SUCCESS] * 2


def test_sqlalchemy_still_takes_psycopg2_for_a_bare_url() -> None:
    """From 2.1 on it takes psycopg 3, on which Dagster's storage fails."""
    assert tuple(map(int, importlib.metadata.version("sqlalchemy").split(".")[:2])) < (2, 1)


# pandera: why models are strict, patterns anchored, and its errors not passed on.


class Model(pa.DataFrameModel):
    name: pa.typing.Series[str] = pa.Field(str_matches=r"^[0-9]+$")
    flag: pa.typing.Series[bool] = pa.Field(coerce=True)


def test_panderas_error_quotes_every_failing_value() -> None:
    with pytest.raises(pa.errors.SchemaErrors) as caught:
        Model.validate(pd.DataFrame({"name": [CANARY], "flag": [True]}), lazy=True)
    assert CANARY in str(caught.value)


def test_pandera_lets_other_columns_pass_unless_it_is_strict() -> None:
    assert "more" in Model.validate(pd.DataFrame({"name": ["1"], "flag": [True], "more": [1]})).columns


def test_pandera_takes_the_word_false_for_true_when_it_coerces() -> None:
    assert Model.validate(pd.DataFrame({"name": ["1"], "flag": ["false"]}))["flag"].tolist() == [True]


def test_a_dollar_lets_a_line_feed_pass() -> None:
    assert len(Model.validate(pd.DataFrame({"name": ["1\n"], "flag": [True]}))) == 1


# pandas and psycopg: why rows are made plain before they are written.


def test_pandas_own_type_of_text_turns_none_into_nan() -> None:
    (_, missing) = pd.Series(["a", None])
    assert missing is not None
    (_, kept) = pd.Series(["a", None], dtype="object")
    assert kept is None


def test_where_leaves_nothings_in_typed_columns() -> None:
    frame = pd.DataFrame({"at": pd.Series([pd.NaT], dtype="datetime64[us]"), "count": [np.nan]})
    replaced = frame.where(pd.notnull(frame), None)
    assert not [value for column in replaced for value in replaced[column] if value is None]
    plain = frame.astype(object).mask(frame.isna(), None)
    assert [value for column in plain for value in plain[column]] == [None, None]


def test_psycopg_stores_nothings_of_pandas_as_the_year_48113_and_as_a_word(database: Database) -> None:
    with psycopg.connect(database.url) as conn:
        conn.execute("create temporary table pinned (at date, word text)")
        conn.execute("insert into pinned values (%s, %s)", [pd.NaT, float("nan")])
        assert conn.execute("select extract(year from at)::integer, word from pinned").fetchone() == (
            48113,
            "NaN",
        )


def test_copy_refuses_a_moment_that_is_none(database: Database) -> None:
    def load() -> None:
        with psycopg.connect(database.url) as conn, conn.cursor() as cursor:
            cursor.execute("create temporary table pinned (at date)")
            with cursor.copy("copy pinned from stdin") as stream:
                stream.write_row([pd.NaT])

    with pytest.raises((psycopg.Error, ValueError)):
        load()
