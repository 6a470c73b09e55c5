"""Everything that imports Dagster: assets, checks, I/O, jobs, schedules, sensors, and the instance's storage.

Each part is a thin layer: `core` decides, `asana` fetches, `storage` stores.
"""

import warnings

import dagster as dg

# A feature of Dagster 1.13 that is used on purpose. Any other that becomes a preview or a beta is still reported.
warnings.filterwarnings("ignore", "Specifying a partitions_def on an AssetCheckSpec", dg.PreviewWarning)
