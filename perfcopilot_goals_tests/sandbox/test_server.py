"""The socket side: one write per response, kept-alive lines, counting, and a quiet and complete end."""

import socket
import threading
import time

import pytest
import requests

from perfcopilot_goals.sandbox import Request, Response, Sandbox, World, sample_company
from perfcopilot_goals_tests.sandbox.asking import ask, asked, read_to_the_end, send


def test_head_and_body_arrive_together(world: World) -> None:
    with Sandbox(world) as asana, asked(asana, "/goals?workspace=77") as connection:
        head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert body.endswith(b"}")


def test_one_connection_serves_many_requests(world: World) -> None:
    with Sandbox(world) as asana, asked(asana, "/users/me") as connection:
        first = connection.recv(65536)
        send(connection, asana, "/users/me")
        assert connection.recv(65536) == first


def test_a_sandbox_that_was_left_responds_on_no_kept_alive_line(world: World) -> None:
    with Sandbox(world) as asana:
        connection = socket.create_connection(("127.0.0.1", asana.port), timeout=5)
        send(connection, asana, "/users/me")
        assert connection.recv(65536)
    with connection:
        assert connection.recv(65536) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", asana.port), timeout=5)


def test_a_sandbox_that_is_entered_again_has_the_same_address(world: World) -> None:
    asana = Sandbox(world)
    with asana:
        port = asana.port
        ask(asana, "/users/me")
    with asana:
        assert asana.port == port
        ask(asana, "/users/me")
        assert asana.count("/users") == 2


def test_several_sandboxes_live_side_by_side(world: World) -> None:
    with Sandbox(world, token="one") as one, Sandbox(world, token="two") as two:
        assert one.base_url != two.base_url
        assert ask(one, "/users/me", token="two").status_code == 401
        assert (one.count(), two.count()) == (1, 0)


def test_a_sandbox_needs_a_world() -> None:
    with pytest.raises(ValueError, match="at least one World"):
        Sandbox()


def test_calls_are_kept_in_order_with_path_query_and_status(world: World) -> None:
    with Sandbox(world) as asana:
        ask(asana, "/goals", workspace="77", limit=2)
        ask(asana, "/goals/999")
        first, second = asana.requests
        assert (first.number, first.method, first.path, first.status) == (1, "GET", "/goals", 200)
        assert first.query == {"workspace": "77", "limit": "2"}
        assert (second.number, second.path, second.status) == (2, "/goals/999", 404)
        assert (asana.count("/goals"), asana.count("/goals?"), asana.count("/users")) == (2, 1, 0)


def test_latency_delays_the_response_but_not_the_end(world: World) -> None:
    before = time.monotonic()
    with Sandbox(world, latency_seconds=30) as asana, asked(asana, "/users/me") as connection:
        connection.settimeout(1.0)
        with pytest.raises(TimeoutError):
            connection.recv(65536)
        assert asana.requests[0].status == 200
    assert time.monotonic() - before < 20


def test_text_goes_out_as_utf8_and_what_utf8_cannot_hold_as_an_escape(world: World) -> None:
    world.rename("101", "Größer \ud800 ウ \x00")
    with Sandbox(world) as asana:
        response = ask(asana, "/goals/101", opt_fields="name")
    assert "Größer \\ud800 ウ \\u0000".encode() in response.content
    assert response.json()["data"]["name"] == "Größer \ud800 ウ \x00"


def test_many_clients_at_once_each_get_their_own_response() -> None:
    company = sample_company()
    goal_gids = list(company.goals)[:200]
    wrong: list[str] = []

    def read(gids: list[str]) -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.headers["Authorization"] = f"Bearer {asana.token}"
            for gid in gids:
                response = session.get(f"{asana.base_url}/goals/{gid}", params={"opt_fields": "name"}, timeout=10)
                if response.json()["data"] != {"gid": gid, "name": company.goals[gid].name}:
                    wrong.append(gid)

    with Sandbox(company) as asana:
        readers = [threading.Thread(target=read, args=(goal_gids[start::8],)) for start in range(8)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        assert (wrong, asana.count(), asana.rejected) == ([], 200, 0)


def test_a_bug_in_a_fault_is_raised_when_the_sandbox_is_left(world: World) -> None:
    def broken(request: Request, response: Response) -> Response:
        raise LookupError("a test's own fault is wrong")

    asana = Sandbox(world, faults=broken)
    with pytest.raises(LookupError, match="own fault"), asana, asked(asana, "/users/me") as connection:
        assert read_to_the_end(connection) == b""


def test_nothing_is_printed(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    with Sandbox(world) as asana:
        ask(asana, "/goals/999")
        with socket.create_connection(("127.0.0.1", asana.port), timeout=5) as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            read_to_the_end(connection)
    assert capfd.readouterr() == ("", "")
