"""The two limits: what they let through, what they count, and how long they ask to wait."""

import threading
from concurrent.futures import ThreadPoolExecutor

from perfcopilot_goals.sandbox import Request, Response, Sandbox, World
from perfcopilot_goals.sandbox.traffic import TOO_MANY
from perfcopilot_goals_tests.sandbox.asking import Clock, ask, message_of


def test_a_burst_passes_and_the_next_call_gets_a_retry_after(world: World) -> None:
    clock = Clock()
    with Sandbox(world, requests_per_minute=30, burst=3, monotonic=clock) as asana:
        assert [ask(asana, "/users/me").status_code for _ in range(3)] == [200, 200, 200]
        refused = ask(asana, "/users/me")
        assert refused.status_code == 429
        assert message_of(refused) == TOO_MANY
        clock.now += int(refused.headers["Retry-After"])
        assert ask(asana, "/users/me").status_code == 200
        assert (asana.count(), asana.rejected) == (5, 1)


def test_rejected_calls_count_too_so_impatience_makes_the_wait_longer(world: World) -> None:
    clock = Clock()
    with Sandbox(world, requests_per_minute=60, burst=1, monotonic=clock) as asana:
        ask(asana, "/users/me")
        waits = [int(ask(asana, "/users/me").headers["Retry-After"]) for _ in range(3)]
        assert waits == [2, 3, 4]
        clock.now += 3
        assert ask(asana, "/users/me").status_code == 429


def test_nobody_is_locked_out_for_longer_than_a_minutes_quota(world: World) -> None:
    clock = Clock()
    with Sandbox(world, requests_per_minute=6, burst=1, monotonic=clock) as asana:
        waits = [int(ask(asana, "/users/me").headers.get("Retry-After", 0)) for _ in range(20)]
        assert max(waits) == 70
        clock.now += 70
        assert ask(asana, "/users/me").status_code == 200


def test_a_wrong_token_spends_nothing_of_the_right_ones_quota(world: World) -> None:
    with Sandbox(world, requests_per_minute=60, burst=1, monotonic=Clock()) as asana:
        assert [ask(asana, "/users/me", token="wrong").status_code for _ in range(3)] == [401, 401, 401]
        assert ask(asana, "/users/me").status_code == 200


def test_one_call_too_many_in_flight_is_rejected(world: World) -> None:
    entered = threading.Barrier(3)
    release = threading.Event()

    def hold(request: Request, response: Response) -> Response:
        if response.status == 200:
            entered.wait(60)
            release.wait(60)
        return response

    with Sandbox(world, max_concurrent=2, faults=hold) as asana, ThreadPoolExecutor(2) as workers:
        held = [workers.submit(ask, asana, "/users/me") for _ in range(2)]
        entered.wait(60)
        refused = ask(asana, "/users/me")
        release.set()
        assert [response.result().status_code for response in held] == [200, 200]
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1
        assert asana.max_in_flight == 3


def test_each_token_has_a_quota_of_its_own(world: World) -> None:
    with Sandbox(world, token="a", more_tokens=["b"], requests_per_minute=60, burst=1, monotonic=Clock()) as asana:
        asked = [ask(asana, "/users/me", token=token).status_code for token in ("a", "a", "b", "b", "c")]
    assert asked == [200, 429, 200, 429, 401]


def test_calls_in_flight_are_counted_by_token(world: World) -> None:
    entered = threading.Barrier(3)

    def hold(request: Request, response: Response) -> Response:
        entered.wait(60)
        return response

    with (
        Sandbox(world, token="a", more_tokens=["b", "c"], max_concurrent=1, faults=hold) as asana,
        ThreadPoolExecutor(3) as workers,
    ):
        asked = [workers.submit(ask, asana, "/users/me", token=token) for token in "abc"]
        assert [response.result().status_code for response in asked] == [200, 200, 200]
        assert asana.max_in_flight == 3
