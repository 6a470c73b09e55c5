"""The code location that Dagster loads: `python -m dagster definitions validate`, `dagster dev`, a deployment."""

from perfcopilot_goals.startup import starting

with starting():
    from perfcopilot_goals.defs.build import build_definitions
    from perfcopilot_goals.settings import load_settings

    defs = build_definitions(load_settings())
