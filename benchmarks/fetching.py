"""A workspace is fetched, by us and by others: without a limit, at Asana's limit with several bursts, with faults."""

import math
from collections.abc import Iterator
from typing import Any

from benchmarks.contenders import Race, contenders, fetch, row
from benchmarks.measuring import stand_in
from benchmarks.scale import Scale
from benchmarks.workplace import UNLIMITED, workplace
from perfcopilot_goals.asana.http import IN_FLIGHT
from perfcopilot_goals.domain.limits import PAGE_SIZE

TITLE = "A workspace fetched"


def races(scale: Scale) -> Iterator[Race]:
    """The races, the quick ones first. The last ones take as long as the limit makes them."""
    requests = math.ceil(scale.goals / PAGE_SIZE) + scale.goals
    in_flight = (math.ceil(scale.goals / PAGE_SIZE) + scale.goals / IN_FLIGHT) * scale.latency_ms / 1000
    size = (scale.goals, scale.subgoals)
    basic = ("--subgoals", str(scale.subgoals), "--latency-ms", str(scale.latency_ms))
    yield Race("no limit", *size, basic, UNLIMITED, in_flight)
    rate = scale.requests_per_minute
    for burst in scale.bursts:
        floor = max(in_flight, (requests - burst) * 60 / rate)
        limited = (*basic, "--requests-per-minute", str(rate), "--burst", str(burst))
        yield Race(f"{rate:,} a minute, burst {burst}", *size, limited, rate, floor)
    burst, faults = scale.bursts[0], scale.fault_percent
    floor = max(in_flight, (requests / (1 - faults / 100) - burst) * 60 / rate)
    failing = (*basic, "--requests-per-minute", str(rate), "--burst", str(burst), "--fault-percent", str(faults))
    yield Race(f"{rate:,} a minute, burst {burst}, {faults} % faults", *size, failing, rate, floor)


def run(scale: Scale) -> Iterator[dict[str, Any]]:
    """A row for each race and contender. Each gets its own stand-in, which counts only its requests."""
    with workplace() as place:
        for number, race in enumerate(races(scale)):
            for who in contenders(scale):
                with stand_in(race.goals, *race.options) as asana:
                    yield row(race, who, fetch(who, place, asana, race, number), asana)
