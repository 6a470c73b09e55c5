"""Workspaces of growing size, without latency or limit: what the client itself costs, in time and memory."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from benchmarks.contenders import OURS, RIVALS, Race, contenders, fetch, row
from benchmarks.measuring import stand_in
from benchmarks.scale import Scale
from benchmarks.workplace import UNLIMITED, workplace

TITLE = "Workspaces of growing size"
GOALS_PER_EMPLOYEE = 100


def run(scale: Scale) -> Iterator[dict[str, Any]]:
    """A row for each size and contender. The floor of a size is our own fetch, which comes first."""
    with workplace() as place:
        for number, goals in enumerate(scale.sizes):
            people = max(1, goals // GOALS_PER_EMPLOYEE)
            options = ("--subgoals", str(goals * 6 // 10), "--people", str(people))
            race = Race(f"{goals:,} goals", goals, goals * 6 // 10, options, UNLIMITED, floor=1.0)
            for who in contenders(scale):
                if who in RIVALS and goals > scale.rivals_up_to:
                    continue
                with stand_in(goals, *options) as asana:
                    done = fetch(who, place, asana, race, number)
                    if who == OURS:
                        race = replace(race, floor=done.figures()["seconds"])
                    yield row(race, who, done, asana)
