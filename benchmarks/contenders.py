"""The contenders: our fetch, our whole command line, Asana's own package, dlt. Each runs as its own process."""

import sys
from dataclasses import dataclass
from typing import Any

from benchmarks.measuring import WORKSPACE, Measured, StandIn, measure
from benchmarks.scale import Scale
from benchmarks.workplace import CHECKOUT, Workplace
from perfcopilot_goals.schemas.tables import TABLES

GOAL_FIELDS = TABLES["raw_workspace_goals"].asana_fields
SUBGOAL_FIELDS = TABLES["subgoals"].asana_fields

OURS, SYNC = "perfcopilot-goals, fetch", "perfcopilot-goals sync"
RIVALS = {
    "asana": ("asana package, 50 threads", "asana_sdk.py"),
    "dlt": ("dlt rest_api, 50 workers", "dlt_rest_api.py"),
}
RIVALS_PYTHON = str(CHECKOUT / ".venv-bench" / "bin" / "python")


@dataclass(frozen=True)
class Race:
    """One set-up of the stand-in, and the shortest time that its requests can take."""

    name: str
    goals: int
    subgoals: int
    options: tuple[str, ...]
    requests_per_minute: int
    floor: float


def contenders(scale: Scale) -> list[str]:
    """Who takes part: we, without and with the whole command line, and the rivals that are not left out."""
    return [OURS, SYNC, *(rival for rival in RIVALS if rival not in scale.without)]


def fetch(who: str, place: Workplace, asana: StandIn, race: Race, number: int) -> Measured:
    """Let one of them fetch what the stand-in has. `number` tells the connections of one workplace apart."""
    if who == OURS:
        return _fetch_ours(asana, race)
    if who == SYNC:
        return place.run("sync", _connect(place, asana, race, f"race-{number}"))
    return _fetch_rival(RIVALS[who][1], asana)


def _fetch_ours(asana: StandIn, race: Race) -> Measured:
    """Run only our list and walk."""
    fields = [",".join(GOAL_FIELDS), ",".join(SUBGOAL_FIELDS)]
    command = [sys.executable, "-m", "benchmarks.ours", asana.base_url, "sandbox-token", WORKSPACE, *fields]
    return measure([*command, str(race.requests_per_minute)])


def _fetch_rival(script: str, asana: StandIn) -> Measured:
    """Run the same fetch by a script of `rivals/`."""
    nested = ["resource_subtype", *(f"supporting_resource.{field}" for field in SUBGOAL_FIELDS)]
    path = str(CHECKOUT / "benchmarks" / "rivals" / script)
    arguments = [asana.base_url, "sandbox-token", WORKSPACE, ",".join(GOAL_FIELDS), ",".join(nested)]
    return measure([RIVALS_PYTHON, path, *arguments])


def row(race: Race, who: str, done: Measured, asana: StandIn) -> dict[str, Any]:
    """A line of the table. If a process failed or fetched too little, the line says so in place of its time."""
    figures, counted = done.figures(), asana.stats()
    seconds = figures.get("seconds", done.seconds)
    fetched = (figures.get("goals"), figures.get("subgoals"))
    is_whole = done.code == 0 and (who == SYNC or fetched == (race.goals, race.subgoals))
    outcome = {"seconds": round(seconds, 2), "ratio": round(seconds / race.floor, 3)} if is_whole else {
        "failed": f"after {done.seconds:.0f} s: {_last_words(done)}"
    }  # fmt: skip
    return {
        "race": race.name,
        "who": RIVALS[who][0] if who in RIVALS else who,
        "floor": round(race.floor, 2),
        **outcome,
        "requests": counted["requests"],
        "rejected": counted["rejected"],
        "peak MB": round(done.peak_mb),
    }


def _last_words(done: Measured) -> str:
    """The class of the exception that ended the process, or else its exit code."""
    words = (done.output.splitlines() or [""])[-1].partition(":")[0].rpartition(".")[2]
    return words if words.isidentifier() else f"exit code {done.code}"


def _connect(place: Workplace, asana: StandIn, race: Race, name: str) -> str:
    """Add a connection for the whole command line, with the token that the others use; returns its name."""
    place.connect([name], asana, race.requests_per_minute)
    (place.folder / name).write_text("sandbox-token")
    return name
