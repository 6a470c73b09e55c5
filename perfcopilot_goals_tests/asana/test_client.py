"""How often a request is repeated, after what wait, and what an error then says."""

import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.asana.client import GRACE_SECONDS, AsanaClient
from perfcopilot_goals.asana.listing import ask_for_goals, fetch_goals, fetch_users
from perfcopilot_goals.asana.objects import fetch_identity, fetch_single_goals, fetch_workspace
from perfcopilot_goals.asana.pacing import ATTEMPTS, Clock, Stopped
from perfcopilot_goals.asana.responses import Refused, parse_retry_after
from perfcopilot_goals.asana.routes import GOAL_RELATIONSHIPS
from perfcopilot_goals.asana.walk import walk_subgoals
from perfcopilot_goals.errors import AsanaAccessError, AsanaContractError, AsanaUnavailableError, GoalsError
from perfcopilot_goals.sandbox import Fault, Raw, Request, Response
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.asana.canaries import BODY, TOKEN, assert_tells_nothing, raises
from perfcopilot_goals_tests.asana.conftest import Connect
from perfcopilot_goals_tests.asana.worlds import (
    FIELDS,
    WORKSPACE,
    family_world,
    flat_world,
    parents_of,
    parse_goals,
    serve,
)
from perfcopilot_goals_tests.clock import FakeClock, most_in_a_minute
from perfcopilot_goals_tests.core.examples import usual
from perfcopilot_goals_tests.scripted_faults import Script
from perfcopilot_goals_tests.scripted_faults.pages import pages_of


class Stamped:
    """A fault that records the clock at each request."""

    def __init__(self, fault: Fault, clock: FakeClock) -> None:
        self.fault = fault
        self.clock = clock
        self.moments: list[float] = []

    def __call__(self, request: Request, response: Response) -> Response | Raw:
        self.moments.append(self.clock.now)
        return self.fault(request, response)

    @property
    def gaps(self) -> list[float]:
        return [later - sooner for sooner, later in zip(self.moments, self.moments[1:], strict=False)]


def throttled(retry_after: str | None = None, *, first: int = 1, times: float = float("inf")) -> Script:
    return Script().on(faults.status(429, f"{BODY} {TOKEN}", retry_after=retry_after), first=first, times=times)


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 408, 429], ids=lambda status: f"A16 {status}")
@pytest.mark.parametrize("fault", [lambda status: faults.status(status, BODY), faults.html], ids=["json", "html"])
def test_a_passing_failure_costs_as_many_requests_as_it_lasts(
    status: int, fault: Callable[[int], Fault], connect: Connect
) -> None:
    with serve(flat_world(3)) as asana:
        client = connect(asana)
        for failures in (1, 2, 3):
            before = asana.count()
            asana.faults = Script().on(fault(status), times=failures)
            assert len(parse_goals(client)) == 3
            assert asana.count() - before == failures + 1
        assert client.stats.requests == asana.count()
        assert client.stats.throttled == (6 if status == 429 else 0)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a16_a_failure_that_lasts_ends_after_four_attempts(status: int, connect: Connect) -> None:
    with serve(flat_world(3), faults=faults.status(status, BODY)) as asana:
        with raises(AsanaUnavailableError, "GET /goals", str(status), "after 4 attempts", "no block was changed"):
            parse_goals(connect(asana))
        assert asana.count() == 4


@pytest.mark.parametrize("status", [429, 503], ids=str)
@pytest.mark.parametrize("asked", [0, 1, 7, 30, 200])
def test_a10_nobody_comes_back_before_the_time_that_asana_asked_for(
    asked: int, status: int, connect: Connect, clock: FakeClock
) -> None:
    with serve(flat_world(3)) as asana:
        for jitter in (0.0, 0.5, 0.999):
            trouble = Script().on(faults.status(status, retry_after=str(asked)), times=2)
            asana.faults = stamped = Stamped(trouble, clock)
            assert len(parse_goals(connect(asana, jitter=lambda jitter=jitter: jitter))) == 3
            assert len(stamped.gaps) == 2
            for gap in stamped.gaps:
                assert asked <= gap <= asked + min(1 + asked / 10, 10) + 0.01
                assert jitter == 0 or gap > asked


def test_a10_requests_with_the_same_retry_after_do_not_come_back_together(connect: Connect, clock: FakeClock) -> None:
    gaps = set()
    with serve(flat_world(3)) as asana:
        for seed in range(10):
            asana.faults = stamped = Stamped(throttled("30", times=1), clock)
            parse_goals(connect(asana, jitter=random.Random(seed).random))
            gaps.add(round(stamped.gaps[0], 1))
    assert len(gaps) > 5


@pytest.mark.parametrize("asked", ["99999999", "901", "999999999999", "9" * 13, "9" * 400], ids=lambda a: a[:14])
@pytest.mark.parametrize("status", [429, 503])
def test_a11_a_wait_past_the_deadline_is_not_waited(
    asked: str, status: int, connect: Connect, clock: FakeClock
) -> None:
    """A Retry-After of more than twelve digits once counted as absent, and the request was repeated at once."""
    with serve(flat_world(3), faults=faults.status(status, retry_after=asked)) as asana:
        with raises(AsanaUnavailableError, "deadline", f"asked to wait {asked[:12] if len(asked) < 13 else 10**12} s"):
            parse_goals(connect(asana))
        assert asana.count() == 1
        assert sum(clock.waits) < 1


def test_a11_waits_that_add_up_to_the_deadline_end_there(connect: Connect, clock: FakeClock) -> None:
    with serve(flat_world(3), faults=throttled("400")) as asana:
        with raises(AsanaUnavailableError, "asked to wait 400 s"):
            parse_goals(connect(asana))
        assert asana.count() == 3
        assert clock.now - 1_000 <= GRACE_SECONDS


@pytest.mark.parametrize(
    "retry_after",
    ["1.5", "-5", "nan", "inf", "1e3", "", " ", "soon", "+5", "0x10", "5, 7", "٣", "Wed, 21 Oct 2065 07:28:00 GMT"],
    ids=ascii,
)
def test_a12_a_retry_after_that_is_no_number_of_seconds_counts_as_absent(
    retry_after: str, connect: Connect, clock: FakeClock
) -> None:
    if retry_after.isascii():
        with serve(flat_world(3), faults=(stamped := Stamped(throttled(retry_after, times=1), clock))) as asana:
            assert len(parse_goals(connect(asana))) == 3
        assert stamped.gaps == [pytest.approx(3.75, abs=0.01)]
    assert parse_retry_after({"retry-after": retry_after}) is None


@pytest.mark.parametrize("jitter", [0.0, 0.999], ids=["least", "most"])
def test_a14_without_a_retry_after_the_waits_suit_a_window_of_a_minute(
    jitter: float, connect: Connect, clock: FakeClock
) -> None:
    stamped = Stamped(throttled(), clock)
    with serve(flat_world(3), faults=stamped) as asana, raises(AsanaUnavailableError, "429"):
        parse_goals(connect(asana, jitter=lambda: jitter))
    assert stamped.gaps == [pytest.approx(wait * (1 + jitter) / 2, abs=0.01) for wait in (5, 10, 20)]


@pytest.mark.parametrize("jitter", [0.0, 0.999], ids=["least", "most"])
def test_a16_after_a_server_error_the_waits_are_seconds(jitter: float, connect: Connect, clock: FakeClock) -> None:
    stamped = Stamped(faults.status(503), clock)
    with serve(flat_world(3), faults=stamped) as asana, raises(AsanaUnavailableError, "503"):
        parse_goals(connect(asana, jitter=lambda: jitter))
    assert stamped.gaps == [pytest.approx(wait * (1 + jitter) / 2, abs=0.01) for wait in (1, 2, 4)]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("sound", [0, 1, 20, 150])
def test_a15_retries_of_a_sync_stay_within_a_fifth_of_its_requests_and_ten(
    status: int, sound: int, connect: Connect
) -> None:
    """Fifty workers with four attempts each would send four times the traffic into an outage."""
    world = flat_world(400)
    script = Script().on(faults.status(status), first=sound + 1)
    with serve(world, faults=script, routes="both") as asana:
        client = connect(asana)
        with raises(AsanaUnavailableError, "no block was changed"):
            walk_subgoals(client, list(world.goals), FIELDS)
        needed = sound + 50  # the requests that had succeeded, and those in flight when the trouble began
        assert asana.count() <= needed + 0.2 * needed + 10


def test_a15_when_every_second_request_is_rejected_the_budget_ends_the_sync(connect: Connect) -> None:
    world = flat_world(400)
    numbers: dict[str, int] = {}

    def every_first(request: Request, response: Response) -> Response:
        numbers[request.path] = numbers.get(request.path, 0) + 1
        return Response(503) if numbers[request.path] == 1 else response

    with serve(world, faults=every_first, routes="both") as asana:
        with raises(AsanaUnavailableError, "503", "the sync's budget for retries is spent"):
            walk_subgoals(connect(asana), list(world.goals), FIELDS)
        firsts = len({call.path for call in asana.requests})
        assert asana.count() - firsts <= 0.2 * firsts + 10


@pytest.mark.parametrize(
    ("gets", "asked", "why"),
    [
        pytest.param(1, 30, "after 4 attempts", id="attempts"),
        pytest.param(4, 30, "budget for retries", id="budget"),
        pytest.param(1, 1_000, "deadline would pass", id="deadline"),
    ],
)
def test_who_asks_after_a_429_that_ended_a_request_waits_as_asana_asked(
    gets: int, asked: int, why: str, connect: Connect, clock: FakeClock
) -> None:
    """The last 429 of a request once closed no gate, and the next list was asked for at once."""
    with serve(flat_world(3)) as asana:
        asana.faults = stamped = Stamped(throttled(str(asked)), clock)
        client = connect(asana, jitter=lambda: 0.0)
        for number in range(gets):
            with raises(AsanaUnavailableError, why if number == gets - 1 else "after 4 attempts"):
                client.get("/users/me", {})
        asana.faults = again = Stamped(faults.header("X-Fine", "1"), clock)
        assert len(parse_goals(connect(asana))) == 3
    waited = again.moments[0] - stamped.moments[-1]
    assert waited == pytest.approx(min(asked, GRACE_SECONDS), abs=0.1)


def test_a_429_that_ends_a_sync_does_not_hold_the_token_for_longer_than_a_sync_may_wait(connect: Connect) -> None:
    with serve(flat_world(3), faults=throttled("9" * 12, times=1)) as asana:
        with raises(AsanaUnavailableError, "deadline would pass"):
            parse_goals(connect(asana))
        assert len(parse_goals(connect(asana))) == 3


def test_a_wait_behind_the_gate_that_would_pass_the_deadline_is_not_begun(connect: Connect, clock: FakeClock) -> None:
    with serve(flat_world(3)) as asana:
        client = connect(asana)
        clock.now += 400
        client.pacer.close_gate(600)
        with raises(
            AsanaUnavailableError, "the sync's own deadline would pass", "after a 429 no request leaves for 600 s"
        ):
            parse_goals(client)
        assert (clock.waits, asana.count(), client.stats.waited_seconds) == ([], 0, 0)


def test_who_waits_for_a_turn_does_not_go_on_to_wait_behind_a_gate_past_the_deadline(connect: Connect) -> None:
    class Throttled(FakeClock):
        def wait(self, seconds: float, stop: threading.Event) -> None:
            super().wait(seconds, stop)
            if len(self.waits) == 1:
                client.pacer.close_gate(GRACE_SECONDS)

    clock = Throttled()
    with serve(flat_world(3)) as asana:
        client = connect(asana, requests_per_minute=1, clock=clock)
        with raises(AsanaUnavailableError, "deadline would pass", "after a 429 no request leaves for 900 s"):
            parse_goals(client)
        assert (len(clock.waits), asana.count()) == (1, 0)


def test_requests_that_cannot_wait_take_no_place_from_those_that_come_later(connect: Connect) -> None:
    clock = FakeClock()
    with serve(flat_world(3)) as asana:
        client = connect(asana, requests_per_minute=60, clock=clock)
        client.pacer.close_gate(2 * GRACE_SECONDS)
        for _ in range(1000):
            with raises(AsanaUnavailableError, "deadline would pass"):
                parse_goals(client)
        assert client.pacer.seconds_to_next == 2 * GRACE_SECONDS


def test_a15_clients_of_one_token_wait_together_when_one_is_throttled(connect: Connect, clock: FakeClock) -> None:
    with serve(flat_world(3), faults=(stamped := Stamped(throttled("30", times=1), clock))) as asana:
        first, second = connect(asana), connect(asana)
        assert len(parse_goals(first)) == 3
        clock.now = stamped.moments[0]  # as if the second client had asked at the same moment
        assert len(parse_goals(second)) == 3
    assert stamped.moments[2] >= stamped.moments[0] + 30


def test_a15_twenty_syncs_in_an_endless_429_send_four_requests_each(connect: Connect) -> None:
    errors: list[GoalsError] = []

    def sync(client: AsanaClient) -> None:
        try:
            parse_goals(client)
        except AsanaUnavailableError as error:
            errors.append(error)

    with serve(flat_world(3), faults=throttled()) as asana:
        workers = [threading.Thread(target=sync, args=(connect(asana),)) for _ in range(20)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert asana.count() <= 20 * ATTEMPTS
    assert len(errors) == 20
    for error in errors:
        assert_tells_nothing(error)


def test_b23_a_sync_as_fast_as_it_may_be_is_never_rejected(connect: Connect, clock: FakeClock) -> None:
    world = flat_world(180)
    limited: dict[str, Any] = {"requests_per_minute": 150, "monotonic": clock.monotonic, "routes": "both"}
    with serve(world, **limited) as asana:
        client = connect(asana, requests_per_minute=150)
        for gid in world.goals:
            client.get(f"/goals/{gid}", {})
        assert (asana.count(), asana.rejected) == (180, 0)
    assert clock.now - 1_000 == pytest.approx(180 * 60 / 140)


def failing_users(**options: Any) -> Script:
    return Script().on(faults.status(503, BODY, **options), path="/users")


@pytest.mark.fault("B41", "A16")
def test_retries_of_requests_apart_are_not_taken_from_the_syncs(connect: Connect) -> None:
    """Three lists that fail for good take nine retries, and the sync, which has ten, needs nine of its own."""
    with serve(flat_world(1), faults=failing_users()) as asana:
        client = connect(asana)
        for _ in range(3):
            with client.apart() as apart, raises(AsanaUnavailableError, "GET /users: status 503", "after 4 attempts"):
                apart.get("/users", {"workspace": WORKSPACE})
        assert (client.stats.requests, asana.count()) == (12, 12), "they count among the sync's requests all the same"
        for _ in range(3):
            asana.faults = Script().on(faults.status(503), times=3)
            assert client.get("/users/me", {})
        assert client.may_go_on()


@pytest.mark.fault("B41")
def test_an_error_knows_the_status_that_caused_it(connect: Connect) -> None:
    with serve(flat_world(1), faults=failing_users()) as asana, pytest.raises(AsanaUnavailableError) as caught:
        connect(asana).get("/users", {"workspace": WORKSPACE})
    assert caught.value.status == 503
    with serve(flat_world(1), faults=faults.hang_up()) as asana, pytest.raises(AsanaUnavailableError) as caught:
        connect(asana).get("/users", {"workspace": WORKSPACE})
    assert caught.value.status is None


ASKING: dict[str, Callable[[AsanaClient], object]] = {
    "goals": parse_goals,
    "one goal": lambda client: ask_for_goals(client, WORKSPACE),
    "users": lambda client: fetch_users(client, WORKSPACE),
    "identity": fetch_identity,
    "workspace": lambda client: fetch_workspace(client, WORKSPACE),
    "sub-goals": lambda client: walk_subgoals(client, ["1001", "1002"], FIELDS),
    "single goals": lambda client: fetch_single_goals(client, ["1001"], FIELDS),
}


@pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING)
@pytest.mark.parametrize("status", [401, 409, 503])
def test_whatever_was_asked_the_error_knows_the_status(
    ask: Callable[[AsanaClient], object], status: int, connect: Connect
) -> None:
    with (
        serve(flat_world(2), faults=faults.status(status, BODY), routes="both") as asana,
        pytest.raises(GoalsError) as caught,
    ):
        ask(connect(asana))
    assert caught.value.status == status


@pytest.mark.fault("B41", "A11")
def test_the_time_of_requests_apart_does_not_count_against_the_sync(connect: Connect, clock: FakeClock) -> None:
    """A sync that waits ten minutes for a list it can do without still has its quarter of an hour."""
    ten_minutes = faults.status(503, retry_after="600")
    with serve(flat_world(1), faults=Script().on(ten_minutes, times=1)) as asana:
        client = connect(asana)
        with client.apart() as apart:
            assert apart.get("/users", {"workspace": WORKSPACE})
        assert clock.now >= 1_600
        asana.faults = Script().on(ten_minutes, times=1)
        assert client.get("/users/me", {})
        with client.apart() as apart:
            asana.faults = faults.status(503, retry_after=str(int(GRACE_SECONDS) + 1))
            with raises(AsanaUnavailableError, "deadline would pass"):
                apart.get("/users", {"workspace": WORKSPACE})


@pytest.mark.fault("B41", "A10")
def test_a_429_to_a_request_apart_closes_the_gate_for_all(connect: Connect, clock: FakeClock) -> None:
    with serve(flat_world(1), faults=Script().on(faults.status(429, retry_after="30"), times=1)) as asana:
        client = connect(asana)
        with client.apart() as apart:
            assert apart.get("/users", {"workspace": WORKSPACE})
        assert clock.now >= 1_030
        assert (client.stats.throttled, client.pacer.slowed_to < 1) == (1, True)


def test_the_deadline_moves_with_the_requests_that_are_announced(connect: Connect, clock: FakeClock) -> None:
    """At a slow rate a long list took longer than the grace period and could never be read."""
    with serve(flat_world(900)) as asana:
        assert len(parse_goals(connect(asana, requests_per_minute=1))) == 900
    assert clock.now - 1_000 > GRACE_SECONDS


def test_a_sync_that_takes_too_long_ends_at_its_deadline(connect: Connect, clock: FakeClock) -> None:
    with serve(flat_world(150)) as asana:
        client = connect(asana)

        def late(_: Request, response: Response) -> Response:
            clock.now += GRACE_SECONDS + 1
            return response

        asana.faults = late
        with raises(AsanaUnavailableError, "the sync's own deadline would pass", "no block was changed"):
            parse_goals(client)
        assert asana.count() == 1


NO_ENVELOPES = [
    *(b"", BODY.encode(), b"[]", b"null", b'{"errors":null}', b'{"errors":{}}', b'{"errors":[7]}', b'{"errors":[{}]}'),
    *(b'{"errors":[null]}', b'{"errors":"No matching route"}', b"[" * 100_000, b"\xff", b"\x00" * 10),
]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 451])
def test_a_refusal_is_known_by_its_status_whatever_its_body(status: int, connect: Connect) -> None:
    with serve(flat_world(3)) as asana:
        client = connect(asana)
        for number, body in enumerate(NO_ENVELOPES, 1):
            asana.faults = faults.reply(status, body)
            with pytest.raises(Refused) as caught:
                client.get("/goals", {})
            assert (caught.value.status, caught.value.is_unknown_route) == (status, False)
            assert asana.count() == number
            assert BODY not in f"{caught.value}{caught.value!r}{caught.value.args}"


@pytest.mark.parametrize("status", [401, 402, 403, 451])
@pytest.mark.parametrize("content_type", ["text/html", "Text/HTML; charset=utf-8"])
def test_a_refusal_as_a_page_for_people_is_not_asanas(status: int, content_type: str, connect: Connect) -> None:
    """A proxy's 403 once said that the token's user may not read the workspace."""
    page = faults.reply(status, BODY.encode(), content_type=content_type)
    with serve(flat_world(3), faults=page) as asana:
        with raises(AsanaContractError, "GET /goals", f"status {status}", "something in between", "proxy") as caught:
            parse_goals(connect(asana))
        assert asana.count() == 1
    assert caught.value.status == status
    for other in ("text/plain", ""):
        refused = faults.reply(status, b"", content_type=other)
        with serve(flat_world(3), faults=refused) as asana, raises(AsanaAccessError, f"answered {status}"):
            parse_goals(connect(asana))


@pytest.mark.parametrize("status", [201, 405, 409, 410, 412, 413, 414, 418, 422, 424])
def test_a_status_that_was_not_agreed_breaks_the_contract_at_once(status: int, connect: Connect) -> None:
    with serve(flat_world(3), faults=faults.status(status, BODY)) as asana:
        with raises(AsanaContractError, f"status {status} is not agreed"):
            parse_goals(connect(asana))
        assert asana.count() == 1


def test_b20_announced_changes_are_recorded_by_name_and_whether_they_affect_us(connect: Connect) -> None:
    changes = (
        "name=goal_sals_api;info=https://forum.asana.com/t/1;affected=true,"
        "name=teamless_projects;info=https://forum.asana.com/t/2,name=;affected=true,nonsense"
    )
    with serve(flat_world(150), faults=faults.header("Asana-Change", changes)) as asana:
        client = connect(asana)
        parse_goals(client)
        asana.faults = faults.header("Asana-Change", "name=goal_sals_api;info=x")
        parse_goals(client)
    assert client.stats.changes == {"goal_sals_api": True, "teamless_projects": False}


def test_the_request_stats_count_requests_pages_throttles_and_waits(connect: Connect, clock: FakeClock) -> None:
    with serve(flat_world(250), faults=throttled("10", times=1)) as asana:
        client = connect(asana)
        parse_goals(client)
        assert client.stats.requests == asana.count() == 4
    assert (client.stats.pages, client.stats.throttled) == (3, 1)
    assert client.stats.waited_seconds == pytest.approx(clock.now - 1_000)
    assert client.stats.waited_seconds > 10


@pytest.mark.parametrize("status", [429, 503])
def test_f3_closing_a_client_ends_a_back_off_on_the_real_clock(status: int, connect: Connect) -> None:
    with serve(flat_world(3), faults=faults.status(status, retry_after="600")) as asana:
        client = connect(asana, clock=Clock())
        threading.Timer(1.0, client.close).start()
        before = time.monotonic()
        with pytest.raises(Stopped) as caught:
            parse_goals(client)
        assert time.monotonic() - before < 20
        assert asana.count() == 1
        assert_tells_nothing(caught.value)


TROUBLE: dict[str, Fault] = {
    "fine": lambda _, response: response,
    "429": faults.status(429),
    "500": faults.status(500, BODY),
    "page for people": faults.html(502),
    "cut": faults.cut_body(),
    "cut gzip": faults.cut_gzip(),
    "hung up": faults.hang_up(),
    "empty": faults.reply(200, b""),
    "expired": faults.status(400, "offset: Your pagination token has expired."),
    "null": faults.reply(200, b"null"),
    "revoked": faults.status(401, f"Not Authorized {TOKEN}"),
    "redirect": faults.reply(302, BODY.encode(), Location="http://127.0.0.1:1/"),
}
kinds = st.one_of(
    st.just("fine"),
    st.sampled_from(["429", "500", "cut", "empty"]),
    st.builds("{} for {} s".format, st.sampled_from([429, 500, 503]), st.integers(0, 120) | st.just(99_999_999)),
    st.sampled_from(list(TROUBLE)),
)


def asked_wait(kind: str) -> int | None:
    """The seconds that this kind of trouble asks to wait."""
    return int(kind.split(" ")[2]) if " for " in kind and kind.endswith(" s") else None


def trouble(script: list[str]) -> Script:
    """The trouble of each request in turn. After the last there is none."""
    rules = Script()
    for number, kind in enumerate(script, 1):
        asked = asked_wait(kind)
        fault = TROUBLE[kind] if asked is None else faults.status(int(kind[:3]), BODY, retry_after=str(asked))
        rules.on(fault, first=number, times=1)
    return rules


# Any trouble; or only trouble that passes, but so much of it that the budget ends the sync.
scripts = st.lists(kinds, max_size=50) | st.lists(
    st.sampled_from(["fine", "429", "500", "cut"]), min_size=30, max_size=60
)


@pytest.mark.hypothesis
@pytest.mark.fault("A10", "A11", "A14", "A15", "B23")
def test_any_trouble_ends_within_the_bounds_in_the_whole_list_or_one_of_our_errors() -> None:
    """The list has twenty-five short pages, so that a slow token's minute is full before its end."""
    pages = 25
    with serve(flat_world(2 * pages)) as asana:
        with closing(AsanaClient(asana.base_url, TOKEN)) as client:
            whole = fetch_goals(client, WORKSPACE, FIELDS)
        in_pages = pages_of(whole, [2] * (pages - 1))

        @usual
        @given(script=scripts, jitter=st.floats(0, 1, exclude_max=True), rate=st.sampled_from([1, 10, 20, 30, 1_500]))
        def sync(script: list[str], jitter: float, rate: int) -> None:
            clock = FakeClock()
            asana.faults = stamped = Stamped(faults.in_turn(in_pages, trouble(script)), clock)
            client = AsanaClient(asana.base_url, TOKEN, clock=clock, jitter=lambda: jitter, requests_per_minute=rate)
            try:
                assert fetch_goals(client, WORKSPACE, FIELDS) == whole
            except GoalsError as error:
                assert_tells_nothing(error)
            finally:
                client.close()
            # A list whose offset expired begins anew, once.
            begun = 2 if "expired" in script else 1
            assert len(stamped.moments) == client.stats.requests <= 1.2 * begun * pages + 10
            # The deadline grows with each page that is announced.
            assert clock.now - 1_000 <= GRACE_SECONDS + 2 * begun * pages * client.pacer.interval
            assert most_in_a_minute(stamped.moments) <= rate
            for gap, kind in zip(stamped.gaps, script, strict=False):
                assert gap >= (asked_wait(kind) or {"429": 2.5}.get(kind, 0)) - 1e-6

        sync()


@pytest.mark.hypothesis
@pytest.mark.fault("A15", "B23")
def test_any_trouble_in_the_walk_ends_within_the_budget_in_all_lists_or_one_of_our_errors() -> None:
    world = family_world(7)
    goals = parents_of(world)
    with serve(world) as asana:

        @usual
        @given(script=scripts, jitter=st.floats(0, 1, exclude_max=True))
        def sync(script: list[str], jitter: float) -> None:
            asana.faults = trouble(script)
            client = AsanaClient(asana.base_url, TOKEN, clock=FakeClock(), jitter=lambda: jitter)
            try:
                found = walk_subgoals(client, goals, FIELDS, route=GOAL_RELATIONSHIPS)
                assert (list(found.subgoals), found.unread) == (goals, {})
                assert all(len(subgoals) == 2 for subgoals in found.subgoals.values())
            except GoalsError as error:
                assert_tells_nothing(error)
            finally:
                client.close()
            # A list whose offset expired begins anew.
            assert client.stats.requests <= 1.2 * (7 + script.count("expired")) + 10

        sync()
