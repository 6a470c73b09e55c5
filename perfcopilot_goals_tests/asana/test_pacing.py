"""No minute has more requests than the token's limit, no request passes a closed gate, and retries have a budget."""

import threading
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.asana.pacing import (
    ATTEMPTS,
    BURST,
    FAILED_BACKOFF,
    THROTTLED_BACKOFF,
    Clock,
    Pacer,
    RetryBudget,
    Stopped,
    backoff,
    pacer_for,
    token_identity,
)
from perfcopilot_goals_tests.asana.canaries import TOKEN
from perfcopilot_goals_tests.clock import FakeClock, most_in_a_minute
from perfcopilot_goals_tests.core.examples import usual

rates = st.one_of(st.sampled_from([1, 2, 10, 11, 150, 1_500]), st.integers(1, 3_000))
# Seconds of pause, then requests that come together or at some distance: crowds, trickles and long silences.
arrivals = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0, 5), st.sampled_from([30.0, 59.9, 60.0, 61.0, 600.0])),
        st.integers(1, 400),
        st.one_of(st.just(0.0), st.floats(0, 0.2)),
    ),
    max_size=8,
).map(lambda groups: [s for pause, many, apart in groups for s in (pause, *[apart] * (many - 1))])
NEVER = threading.Event()


class Crowd(FakeClock):
    """A clock for many that wait at once. A wait takes no time; the moment at which it would end is recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def wait(self, seconds: float, stop: threading.Event) -> None:
        self.ends.append(self.now + seconds)


class Stalled(Clock):
    """A clock for threads, moved by the test: whoever is due by then wakes, however late that is."""

    def __init__(self, threads: int) -> None:
        self.now = 1_000.0
        self.left: list[float] = []
        self._threads = threads
        self._ends: list[float] = []
        self._moved = threading.Condition()

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float, stop: threading.Event) -> None:
        with self._moved:
            end = self.now + seconds
            self._ends.append(end)
            self._moved.notify_all()
            self._moved.wait_for(lambda: self.now >= end)
            self._ends.remove(end)

    def leave(self) -> None:
        with self._moved:
            self.left.append(self.now)
            self._moved.notify_all()

    def move(self, seconds: float) -> None:
        """Moves the time, and returns when every thread has left or waits for a later moment."""
        with self._moved:
            self.now += seconds
            self._moved.notify_all()
            assert self._moved.wait_for(self._is_settled, 30)

    def _is_settled(self) -> bool:
        return len(self.left) + sum(end > self.now for end in self._ends) == self._threads


def departures(pacer: Pacer, clock: FakeClock, pauses: list[float]) -> list[float]:
    """When each request leaves, if they come at these distances from each other."""
    left = []
    for pause in pauses:
        clock.now += pause
        ends = len(clock.ends) if isinstance(clock, Crowd) else 0
        pacer.acquire(NEVER)
        left.append(clock.ends[-1] if isinstance(clock, Crowd) and len(clock.ends) > ends else clock.now)
    return left


@usual
@given(rate=rates, pauses=arrivals)
def test_b23_no_minute_holds_more_than_the_limit_when_one_asks_after_the_other(rate: int, pauses: list[float]) -> None:
    clock = FakeClock()
    assert most_in_a_minute(departures(Pacer(rate, clock), clock, pauses)) <= rate


@usual
@given(rate=rates, pauses=arrivals)
def test_b23_no_minute_holds_more_than_the_limit_when_a_crowd_asks_at_once(rate: int, pauses: list[float]) -> None:
    clock = Crowd()
    assert most_in_a_minute(departures(Pacer(rate, clock), clock, pauses)) <= rate


@usual
@given(rate=rates, processes=st.lists(arrivals, max_size=12), single=st.integers(0, 400), crowd=st.booleans())
def test_no_minute_holds_more_than_the_limit_when_one_process_follows_the_other(
    rate: int, processes: list[list[float]], single: int, crowd: bool
) -> None:
    """Each process once began with a burst: in a chain of short ones, 252 requests left in a minute instead of 150."""
    clock = Crowd() if crowd else FakeClock()
    left: list[float] = []
    for pauses in [*processes, *[[0.0]] * single]:
        left += departures(Pacer(rate, clock), clock, pauses)
        clock.now = max([clock.now, *left[-1:]])  # the next one begins as soon as the last request has left
    assert most_in_a_minute(left) <= rate


def test_who_takes_the_token_again_in_a_process_that_lives_on_has_no_burst_either() -> None:
    """The page rested for an hour, but a sync in another process has used the token until just now."""
    clock = FakeClock()
    pacer_for(TOKEN, 150, clock).acquire(NEVER)
    clock.now += 3_600
    other = Pacer(150, clock)
    left = departures(other, clock, [60.0, *[0.0] * 148])
    left += departures(pacer_for(TOKEN, 150, clock), clock, [0.0] * 20)
    assert most_in_a_minute(left) <= 150


@pytest.mark.parametrize("rate", [1, 2, 60, 150, 1_500])
def test_a_crowd_uses_nearly_all_of_the_limit(rate: int) -> None:
    clock = Crowd()
    moments = departures(Pacer(rate, clock), clock, [0.0] * (3 * rate + BURST))
    steady = [moment for moment in moments if 60 <= moment - clock.now < 120]
    assert len(steady) >= 0.9 * rate or rate < 3


@pytest.mark.parametrize(("rate", "burst"), [(1, 1), (19, 1), (20, 2), (60, 6), (150, 10), (1_500, 10)])
def test_after_a_pause_a_burst_leaves_at_once_and_the_next_one_waits(rate: int, burst: int) -> None:
    clock = FakeClock()
    pacer = Pacer(rate, clock)
    for _ in range(2):
        clock.now += 3_600  # a long pause earns one burst, not more
        clock.waits.clear()
        for _ in range(burst):
            pacer.acquire(NEVER)
        assert sum(clock.waits) == pytest.approx(0, abs=1e-6)
        pacer.acquire(NEVER)
        assert sum(clock.waits) == pytest.approx(pacer.interval)


@pytest.mark.parametrize(
    ("rate", "threads", "moves"),
    [
        pytest.param(1_500, 50, [1.5], id="a stall in the middle"),
        pytest.param(1_500, 50, [30.0], id="a stall longer than all waits"),
        pytest.param(1_500, 50, [0.5, 0.01, 0.5, 0.01, 0.5], id="one stall after the other"),
        pytest.param(150, 50, [8.0, 0.1], id="a slow token"),
        pytest.param(60, 40, [20.0, 20.0], id="a small burst"),
        pytest.param(15, 20, [30.0, 30.0, 0.5], id="no burst"),
        pytest.param(1, 3, [239.0, 2.0], id="one a minute"),
    ],
)
def test_those_that_wake_late_do_not_leave_as_one_crowd(rate: int, threads: int, moves: list[float]) -> None:
    """A machine that stood still for 1.5 seconds once sent 38 requests within 50 ms where ten were promised."""
    clock = Stalled(threads)
    pacer = Pacer(rate, clock)

    def ask() -> None:
        pacer.acquire(NEVER)
        clock.leave()

    workers = [threading.Thread(target=ask) for _ in range(threads)]
    for worker in workers:
        worker.start()
    clock.move(0)
    for seconds in moves:
        clock.move(seconds)
    while len(clock.left) < threads:
        clock.move(pacer.interval / 2)
    for worker in workers:
        worker.join()
    assert max(Counter(clock.left).values()) <= pacer.burst
    assert most_in_a_minute(clock.left) <= rate


def test_a_wait_is_reported_before_it_begins() -> None:
    clock = FakeClock()
    told: list[float] = []
    pacer = Pacer(60, clock)
    for _ in range(7):
        pacer.acquire(NEVER, told.append)
    assert told == clock.waits
    assert len(told) == 7


steps = st.lists(
    st.one_of(
        st.just(("ask", 0.0)),
        st.tuples(st.just("close"), st.floats(0, 120)),
        st.tuples(st.just("pass"), st.floats(0, 90)),
    ),
    max_size=60,
)


@usual
@given(rate=rates, steps=steps)
def test_nobody_passes_a_closed_gate_and_the_limit_holds_behind_it(rate: int, steps: list[tuple[str, float]]) -> None:
    clock = FakeClock()
    pacer = Pacer(rate, clock)
    closed_until, left = 0.0, []
    for step, seconds in steps:
        if step == "close":
            pacer.close_gate(seconds)
            closed_until = max(closed_until, clock.now + seconds)
        elif step == "pass":
            clock.now += seconds
        else:
            pacer.acquire(NEVER)
            assert clock.now >= closed_until
            left.append(clock.now)
    assert most_in_a_minute(left) <= rate


def test_a_gate_that_closes_while_others_wait_holds_them_too() -> None:
    """A worker that slept until its turn once sent its request through a closed gate."""

    class Interrupted(FakeClock):
        def wait(self, seconds: float, stop: threading.Event) -> None:
            super().wait(seconds, stop)
            if len(self.waits) == 1:
                pacer.close_gate(30)

    clock = Interrupted()
    pacer = Pacer(60, clock)
    for _ in range(7):
        pacer.acquire(NEVER)
    assert clock.now >= 1_000 + clock.waits[0] + 30


def test_a_second_closing_never_shortens_the_first() -> None:
    clock = FakeClock()
    pacer = Pacer(60, clock)
    pacer.close_gate(30)
    pacer.close_gate(5)
    pacer.acquire(NEVER)
    assert clock.now >= 1_030


@pytest.mark.parametrize("asked", [1, 40], ids=["before a wait", "in a wait"])
def test_a_stopped_request_does_not_leave(asked: int) -> None:
    stop = threading.Event()
    pacer = Pacer(60, FakeClock())
    for _ in range(asked - 1):
        pacer.acquire(stop)
    stop.set()
    with pytest.raises(Stopped):
        pacer.acquire(stop)


def test_f3_a_wait_on_the_real_clock_ends_when_it_is_stopped() -> None:
    clock, stop = Clock(), threading.Event()
    threading.Timer(0.05, stop.set).start()
    before = clock.monotonic()
    with pytest.raises(Stopped):
        clock.wait(60, stop)
    assert clock.monotonic() - before < 20


@pytest.mark.parametrize("rate", [1, 10, 150, 1_500])
def test_the_time_predicted_for_many_requests_is_the_time_they_take(rate: int) -> None:
    clock = FakeClock()
    pacer = Pacer(rate, clock)
    for _ in range(300):
        pacer.acquire(NEVER)
    assert clock.now - 1_000 == pytest.approx(300 * pacer.interval)


def test_a_token_has_one_pacer_whatever_connections_share_it() -> None:
    clock = FakeClock()
    assert pacer_for(TOKEN, 150, clock) is pacer_for(TOKEN, 150, clock)
    assert pacer_for(TOKEN, 150, clock) is not pacer_for(f"{TOKEN}2", 150, clock)


def test_b23_two_connections_of_one_token_share_its_minute_also_when_their_rates_differ() -> None:
    """A connection set to 150 once had a pacer of its own, in addition to its token's pacer for 1,500."""
    clock = FakeClock()
    fast = pacer_for(TOKEN, 1_500, clock)
    for _ in range(1_500):
        fast.acquire(NEVER)
    slow = pacer_for(TOKEN, 150, clock)
    assert slow is fast
    moments = departures(slow, clock, [0.0] * 300)
    assert moments[0] > 1_000 + 58
    assert most_in_a_minute(moments) <= 150


def test_a_token_cannot_be_recovered_from_its_hash() -> None:
    assert TOKEN not in token_identity(TOKEN)
    assert token_identity(TOKEN) == token_identity(TOKEN) != token_identity(f"{TOKEN}2")


@usual
@given(first_tries=st.integers(0, 500), wanted=st.integers(0, 200))
def test_retries_are_a_fifth_of_the_requests_and_ten(first_tries: int, wanted: int) -> None:
    budget = RetryBudget()
    for _ in range(first_tries):
        budget.count_first_try()
    granted = sum(budget.take() for _ in range(wanted))
    assert granted == min(wanted, 10 + first_tries // 5)


def test_workers_together_get_no_more_retries_than_the_budget() -> None:
    budget = RetryBudget()
    granted: list[bool] = []
    workers = [threading.Thread(target=lambda: granted.extend(budget.take() for _ in range(50))) for _ in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(granted) == 10


@pytest.mark.parametrize("waits", [THROTTLED_BACKOFF, FAILED_BACKOFF], ids=["throttled", "failed"])
@usual
@given(jitter=st.floats(0, 1), attempt=st.integers(1, ATTEMPTS))
def test_a_back_off_is_between_half_and_all_of_its_wait(waits: tuple[float, ...], jitter: float, attempt: int) -> None:
    wait = waits[min(attempt, 3) - 1]
    assert wait / 2 <= backoff(waits, attempt, lambda: jitter) <= wait


@pytest.mark.parametrize("waits", [THROTTLED_BACKOFF, FAILED_BACKOFF], ids=["throttled", "failed"])
def test_back_offs_grow(waits: tuple[float, ...]) -> None:
    assert len(waits) == ATTEMPTS - 1
    assert all(later >= 2 * sooner for sooner, later in pairwise(waits))


def spacing(pacer: Pacer, clock: FakeClock) -> float:
    """Seconds between two waiting requests, once the burst is spent."""
    moments = departures(pacer, clock, [0.0] * (BURST + 20))
    return moments[-1] - moments[-2]


def test_each_rejection_takes_a_fifth_of_the_rate_down_to_half_of_it() -> None:
    clock = FakeClock()
    pacer = Pacer(1_500, clock)
    full = spacing(pacer, clock)
    for lessons, share in ((1, 0.8), (2, 0.64), (3, 0.512), (4, 0.5), (9, 0.5)):
        while pacer.slowed_to > share + 0.001:
            pacer.close_gate(5.0)
            clock.now += 5.0
        assert spacing(pacer, clock) == pytest.approx(full / share, rel=0.01), lessons
    pacer.begin(1_500)
    assert spacing(pacer, clock) == pytest.approx(full, rel=0.01)


def test_requests_that_were_rejected_together_slow_the_rate_once() -> None:
    clock = FakeClock()
    pacer = Pacer(1_500, clock)
    for _ in range(50):
        pacer.close_gate(30.0)
        clock.now += 0.01
    assert pacer.slowed_to == pytest.approx(0.8)
