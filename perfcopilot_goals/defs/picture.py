"""A small picture of a sync, for the catalog page of `prompt_blocks`: how many goals stand how, and how many employees
have which kind of block. Numbers only; no goal's text and nobody's name.
"""

import base64
from collections import Counter
from collections.abc import Mapping

import dagster as dg
import leather
import pandas as pd

from perfcopilot_goals.domain.block import BLOCK_REASONS, STATUSES

# Colours that also people who do not tell red from green can tell apart by their lightness.
_COLOURS = {
    "completed": "#3b6fb6",
    "on_track": "#3a9a63",
    "at_risk": "#e6a23c",
    "off_track": "#c8413b",
    "ok": "#3a9a63",
    "truncated": "#e6a23c",
    "owns_no_goals": "#9aa5b1",
    "had_goals_before": "#d98c5f",
    "asana_user_gone": "#8c6bb1",
    "unmapped": "#c8413b",
}


def draw_sync(rows: pd.DataFrame, blocks: pd.DataFrame, asana_user_of: Mapping[str, str | None]) -> dg.MetadataValue:
    """Two bar charts as Markdown with inline SVG: goals by status, employees by why their block is as it is."""
    statuses = Counter(rows.loc[rows["kind"] == "goal", "status"])
    reasons = Counter(blocks["reason"]) + Counter(unmapped=sum(not gid for gid in asana_user_of.values()))
    goals = {status: statuses[status] for status in ("completed", *STATUSES[:3])}
    employees = {reason: reasons[reason] for reason in (*BLOCK_REASONS, "unmapped")}
    return dg.MetadataValue.md(f"{_bars('Goals by status', goals)}\n\n{_bars('Employees by their block', employees)}")


def _bars(title: str, counts: Mapping[str, int]) -> str:
    labels = {f"{name}: {count}": name for name, count in counts.items()}
    chart = leather.Chart(title)
    chart.add_x_scale(0, max(1, *counts.values()))
    chart.add_bars(
        [(counts[name], label) for label, name in labels.items()],
        fill_color=lambda bar: _COLOURS[labels[bar.y]],
    )
    picture = base64.b64encode(chart.to_svg(width=560, height=60 + 35 * len(counts)).encode()).decode()
    told = ", ".join(labels)
    return f"![{title}: {told}](data:image/svg+xml;base64,{picture})"
