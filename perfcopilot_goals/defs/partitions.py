"""The partitions: one per connection, by name."""

from collections.abc import Iterable

import dagster as dg

_NAME = "connections"
connections_partitions = dg.DynamicPartitionsDefinition(name=_NAME)
# The tag by which Dagster knows a run's partition.
PARTITION_TAG = "dagster/partition"


def partition_keys(instance: dg.DagsterInstance) -> list[str]:
    """The connections that are partitions now."""
    return list(instance.get_dynamic_partitions(_NAME))


def register_partitions(instance: dg.DagsterInstance, names: Iterable[str]) -> list[str]:
    """Make partitions of those connections that are none yet; returns the new ones."""
    wanted = list(names)
    known = set(partition_keys(instance)) if wanted else set()
    new = [name for name in wanted if name not in known]
    if new:
        instance.add_dynamic_partitions(_NAME, new)
    return new


def partitions_of(runs: Iterable[dg.DagsterRun]) -> set[str]:
    """The connections that these runs are about."""
    return {run.tags[PARTITION_TAG] for run in runs if PARTITION_TAG in run.tags}


def unregister_partition(instance: dg.DagsterInstance, name: str) -> None:
    """Remove a connection from the partitions; its past runs stay in the UI."""
    if instance.has_dynamic_partition(_NAME, name):
        instance.delete_dynamic_partition(_NAME, name)
