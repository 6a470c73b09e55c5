"""Everything that imports Dagster: partitions, assets, checks, I/O, resources, schedule and the instance's storage.

Each part is a shell; what it decides is in `core`, what it fetches in `asana`, what it stores in `storage`.
"""
