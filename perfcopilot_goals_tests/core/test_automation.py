import datetime as dt

import pytest

from perfcopilot_goals.core.automation import (
    decide_partitions,
    decide_syncs,
    find_mended,
)
from perfcopilot_goals.domain.sync import FailedSync

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("enabled", "existing", "in_flight", "change"),
    [
        pytest.param(["a", "b"], ["b"], [], (["a"], []), id="a-new-one-at-once"),
        pytest.param(["b"], ["a", "b"], [], ([], ["a"]), id="an-old-one-goes"),
        pytest.param(["b"], ["a", "b"], ["a"], ([], []), id="not-while-its-run-goes-on"),
        pytest.param([], ["a"], [], ([], ["a"]), id="the-last-one"),
        pytest.param(["b", "a"], [], ["a"], (["a", "b"], []), id="in-order"),
    ],
)
def test_partitions_follow_the_enabled_connections(
    enabled: list[str], existing: list[str], in_flight: list[str], change: tuple[list[str], list[str]]
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


@pytest.mark.parametrize(
    ("changed", "is_mended"),
    [pytest.param(HOUR, True, id="after"), pytest.param(-HOUR, False, id="before")],
)
def test_a_connection_is_mended_when_its_settings_changed_after_a_sync_failed(
    changed: dt.timedelta, is_mended: bool
) -> None:
    assert bool(find_mended([FailedSync("acme", NOON + changed, NOON)])) is is_mended
