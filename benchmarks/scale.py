"""The sizes of the benches: the full ones, and quick ones to see whether they run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """The sizes of one run. `without` names the rivals that are left out."""

    goals: int = 2_000
    subgoals: int = 1_200
    latency_ms: int = 80
    requests_per_minute: int = 1_500
    bursts: tuple[int, ...] = (250, 50, 10)
    fault_percent: int = 3
    sizes: tuple[int, ...] = (100, 1_000, 10_000, 100_000)
    rivals_up_to: int = 10_000
    rows: int = 50_000
    connections: int = 100
    # How many connections stand by, and after how many minutes that is measured.
    standing: tuple[tuple[int, tuple[int, ...]], ...] = ((1_000, (1, 5)), (10_000, (1, 5)))
    standing_window_seconds: float = 180.0
    employees: int = 10_000
    daily_syncs: int = 400
    repeats: int = 3
    without: frozenset[str] = frozenset()


FULL = Scale()
QUICK = Scale(
    goals=200, subgoals=120, latency_ms=20, requests_per_minute=6_000, bursts=(50, 10), sizes=(100, 1_000),
    rivals_up_to=1_000, rows=5_000, connections=5, standing=((20, (1,)),), standing_window_seconds=60.0,
    employees=500, daily_syncs=20, repeats=1,
)  # fmt: skip
