import datetime as dt

import pytest

from perfcopilot_goals.core.automation import (
    PartitionChange,
    decide_partitions,
    decide_syncs,
    find_mended,
)
from perfcopilot_goals.domain.sync import LastSync

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("enabled", "existing", "in_flight", "change"),
    [
        pytest.param(["a", "b"], ["b"], [], PartitionChange(["a"], []), id="a-new-one-at-once"),
        pytest.param(["b"], ["a", "b"], [], PartitionChange([], ["a"]), id="an-old-one-goes"),
        pytest.param(["b"], ["a", "b"], ["a"], PartitionChange([], []), id="not-while-its-run-goes-on"),
        pytest.param([], ["a"], [], PartitionChange([], ["a"]), id="the-last-one"),
        pytest.param(None, ["a"], [], PartitionChange([], []), id="a-failed-read-changes-nothing"),
        pytest.param(["b", "a"], [], ["a"], PartitionChange(["a", "b"], []), id="in-order"),
    ],
)
def test_partitions_follow_the_enabled_connections(
    enabled: list[str] | None, existing: list[str], in_flight: list[str], change: PartitionChange
) -> None:
    assert decide_partitions(enabled, existing, in_flight) == change


@pytest.mark.parametrize(
    ("enabled", "queued", "synced"),
    [
        pytest.param(["b", "a"], [], ["b", "a"], id="all-in-their-order"),
        pytest.param(["a", "b"], ["b"], ["a"], id="not-what-waits-already"),
        pytest.param(["a"], ["a"], [], id="all-wait"),
        pytest.param([], ["gone"], [], id="none-is-enabled"),
    ],
)
def test_a_tick_syncs_the_enabled_connections_that_do_not_wait_in_the_queue_already(
    enabled: list[str], queued: list[str], synced: list[str]
) -> None:
    assert decide_syncs(enabled, queued) == synced


def last(state: str | None, code: str | None, changed: dt.timedelta) -> LastSync:
    return LastSync("acme", NOON + changed, NOON if state else None, state, code)


@pytest.mark.parametrize(
    ("sync", "is_mended"),
    [
        pytest.param(last("failed", "GoalsConfigError", HOUR), True, id="a-gid-was-fixed"),
        pytest.param(last("failed", "AsanaAccessError", HOUR), True, id="a-token-was-fixed"),
        pytest.param(last("failed", "GoalsConfigError", -HOUR), False, id="nothing-changed-since"),
        pytest.param(last("failed", "AsanaUnavailableError", HOUR), False, id="asana-was-down"),
        pytest.param(last("failed", "GoalsGuardError", HOUR), False, id="a-guard-refused"),
        pytest.param(last("complete", None, HOUR), False, id="all-was-well"),
        pytest.param(last("running", None, HOUR), False, id="it-runs"),
        pytest.param(last(None, None, HOUR), False, id="never-synced"),
    ],
)
def test_a_connection_is_mended_when_its_settings_changed_after_they_failed_a_sync(
    sync: LastSync, is_mended: bool
) -> None:
    assert bool(find_mended([sync])) is is_mended
