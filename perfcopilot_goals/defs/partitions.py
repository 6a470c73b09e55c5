"""The partitions: one per connection, by name."""

from collections.abc import Iterable

import dagster as dg

connections_partitions = dg.DynamicPartitionsDefinition(name="connections")
_NAME = "connections"
# By which Dagster knows the partition of a run.
PARTITION_TAG = "dagster/partition"


def partition_keys(instance: dg.DagsterInstance) -> list[str]:
    """The partitions there are."""
    return list(instance.get_dynamic_partitions(_NAME))


def register_partitions(instance: dg.DagsterInstance, names: Iterable[str]) -> list[str]:
    """Make these connections partitions, those that are not yet, and return which were new."""
    known = set(partition_keys(instance))
    new = [name for name in names if name not in known]
    if new:
        instance.add_dynamic_partitions(_NAME, new)
    return new


def partitions_of(runs: Iterable[dg.DagsterRun]) -> set[str]:
    """The connections that these runs are about."""
    return {run.tags[PARTITION_TAG] for run in runs if PARTITION_TAG in run.tags}


def unregister_partition(instance: dg.DagsterInstance, name: str) -> None:
    """Take a connection from the partitions; its past runs stay to be looked at."""
    if instance.has_dynamic_partition(_NAME, name):
        instance.delete_dynamic_partition(_NAME, name)
