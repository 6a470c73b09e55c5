"""Connections as Dagster's partitions: registered once, and removed without an error."""

import dagster as dg

from perfcopilot_goals.defs.partitions import connections_partitions, register_partitions, unregister_partition


def test_only_what_is_new_is_registered(instance: dg.DagsterInstance) -> None:
    assert register_partitions(instance, ["one-a", "one-b"]) == ["one-a", "one-b"]
    assert register_partitions(instance, ["one-b", "one-c"]) == ["one-c"]
    assert register_partitions(instance, []) == []
    known = instance.get_dynamic_partitions(str(connections_partitions.name))
    assert {"one-a", "one-b", "one-c"} <= set(known)


def test_a_partition_is_taken_away_and_one_that_is_not_there_as_well(instance: dg.DagsterInstance) -> None:
    register_partitions(instance, ["two-a", "two-b"])
    for _ in range(2):
        unregister_partition(instance, "two-a")
    known = instance.get_dynamic_partitions("connections")
    assert "two-a" not in known
    assert "two-b" in known
