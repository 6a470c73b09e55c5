"""Everything that imports Dagster: partitions, assets, checks, I/O, resources, schedule and the instance's storage.

Each part is a thin layer: `core` decides, `asana` fetches, `storage` stores.
"""

import warnings

import dagster as dg

# Two features of Dagster 1.13 that are used on purpose. Any other that becomes a preview or a beta is still reported.
for _kind, _feature in (
    (dg.BetaWarning, "Parameter `backfill_policy`"),
    (dg.PreviewWarning, "Specifying a partitions_def on an AssetCheckSpec"),
):
    warnings.filterwarnings("ignore", _feature, _kind)
