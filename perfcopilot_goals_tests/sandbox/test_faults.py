"""Scripts fire when they should, and each fault does on the wire what its name says."""

import gzip
import json
import time
import zlib
from typing import Any

import pytest
import requests
from requests.exceptions import ChunkedEncodingError

from perfcopilot_goals.sandbox import Fault, Sandbox, World, now_and_then
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.sandbox.asking import ask, asked, message_of, pages, read_to_the_end, rows
from perfcopilot_goals_tests.scripted_faults import Script

LIST: dict[str, Any] = {"workspace": "77", "limit": 2}


def statuses(asana: Sandbox, calls: int, path: str = "/users/me") -> list[int]:
    return [ask(asana, path).status_code for _ in range(calls)]


def outcome(asana: Sandbox) -> int | str:
    """The status of one call, or "cut" if its body broke off."""
    try:
        return ask(asana, "/users/me").status_code
    except ChunkedEncodingError:
        return "cut"


def raw_answer(world: World, fault: Fault, path: str = "/goals?workspace=77") -> tuple[bytes, bytes]:
    """The bytes that came until the line ended."""
    with Sandbox(world, faults=fault) as asana, asked(asana, path) as connection:
        head, _, body = read_to_the_end(connection).partition(b"\r\n\r\n")
    return head, body


def test_a_rule_fires_its_number_of_times_from_its_first_request_on(world: World) -> None:
    script = Script().on(faults.status(503), first=2, times=2)
    with Sandbox(world, faults=script) as asana:
        assert statuses(asana, 5) == [200, 503, 503, 200, 200]


def test_a_rule_without_a_number_fires_for_ever(world: World) -> None:
    with Sandbox(world, faults=Script().on(faults.status(500))) as asana:
        assert statuses(asana, 3) == [500, 500, 500]


def test_the_first_rule_that_is_due_fires_and_all_rules_count(world: World) -> None:
    script = Script().on(faults.status(500), times=1).on(faults.status(502), times=2).on(faults.status(503), first=4)
    with Sandbox(world, faults=script) as asana:
        assert statuses(asana, 5) == [500, 502, 200, 503, 503]


def test_now_and_then_the_same_calls_fail_and_a_refusal_stays_a_refusal(world: World) -> None:
    def asked_in(asana: Sandbox) -> list[int | str]:
        return [outcome(asana) for _ in range(200)]

    rarely = now_and_then(0.1)
    with Sandbox(world, faults=rarely) as one, Sandbox(world, faults=rarely) as other:
        responses = asked_in(one)
        assert responses == asked_in(other)
    assert set(responses) == {200, 503, "cut"}
    assert 8 <= 200 - responses.count(200) <= 32
    with Sandbox(world, faults=now_and_then(1.0), requests_per_minute=6, burst=1) as asana:
        assert [outcome(asana), outcome(asana)] == ["cut", 429]


def test_a_rule_matches_by_path_query_and_condition(world: World) -> None:
    script = (
        Script()
        .on(faults.status(402), path="/goals")
        .on(faults.status(403), query={"supported_goal": "101"})
        .on(faults.status(451), when=lambda request: request.path == "/users/me")
    )
    with Sandbox(world, faults=script) as asana:
        assert statuses(asana, 1, "/goals?workspace=77") == [402]
        assert statuses(asana, 1, "/goals/101") == [200]
        assert statuses(asana, 1, "/goal_relationships?supported_goal=101") == [403]
        assert statuses(asana, 1, "/goal_relationships?supported_goal=104") == [200]
        assert statuses(asana, 1, "/users/me") == [451]


def test_single_goals_refuse_their_subgoals_by_either_route(world: World) -> None:
    script = Script().on(faults.status(404, "goal: Unknown object: 101"), when=faults.asks_subgoals_of("101"))
    with Sandbox(world, routes="both", faults=script) as asana:
        assert statuses(asana, 1, "/goals/101/subgoals") == [404]
        assert statuses(asana, 1, "/goal_relationships?supported_goal=101") == [404]
        assert statuses(asana, 1, "/goals/104/subgoals") == [200]
        assert statuses(asana, 1, "/goal_relationships?supported_goal=104") == [200]


def test_a_token_can_be_revoked_in_the_middle_of_a_list(world: World) -> None:
    script = Script().on(faults.status(401, "Not Authorized"), path="/goals", first=2)
    with Sandbox(world, faults=script) as asana:
        first = ask(asana, "/goals", **LIST)
        second = ask(asana, "/goals", **LIST, offset=first.json()["next_page"]["offset"])
        assert (first.status_code, second.status_code) == (200, 401)
        assert [call.status for call in asana.requests] == [200, 401]


@pytest.mark.parametrize("retry_after", ["30", "1.5", "-5", "nan", "", "soon", "99999999"])
def test_a_status_goes_out_with_any_retry_after(world: World, retry_after: str) -> None:
    with Sandbox(world, faults=faults.status(429, "Slow down", retry_after=retry_after)) as asana:
        response = ask(asana, "/users/me")
        assert (response.status_code, message_of(response)) == (429, "Slow down")
        assert response.headers["Retry-After"] == retry_after
        assert asana.rejected == 1


def test_server_errors_have_a_phrase_and_others_a_help_text(world: World) -> None:
    with Sandbox(world, faults=faults.status(500, "Server Error")) as asana:
        assert set(ask(asana, "/users/me").json()["errors"][0]) == {"message", "phrase"}
        asana.faults = faults.status(402, "Payment Required")
        assert set(ask(asana, "/users/me").json()["errors"][0]) == {"message", "help"}


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"x"', b"\xff\xfe", b'{"data": [', b"\xef\xbb\xbf{}"], ids=repr)
def test_a_reply_is_any_bytes(world: World, body: bytes) -> None:
    with Sandbox(world, faults=faults.reply(200, body)) as asana:
        response = ask(asana, "/users/me")
    assert (response.content, response.headers["Content-Type"]) == (body, "application/json; charset=UTF-8")


@pytest.mark.parametrize("code", [200, 502, 503])
def test_html_is_a_page_for_people(world: World, code: int) -> None:
    with Sandbox(world, faults=faults.html(code)) as asana:
        response = ask(asana, "/users/me")
    assert (response.status_code, response.headers["Content-Type"]) == (code, "text/html; charset=utf-8")
    assert response.text.startswith("<!DOCTYPE html>")


def test_a_redirect_names_where_to_go(world: World) -> None:
    with Sandbox(world, faults=faults.reply(302, Location="https://elsewhere.example/login")) as asana:
        response = ask(asana, "/users/me")
    assert (response.status_code, response.headers["Location"]) == (302, "https://elsewhere.example/login")


def test_deep_json_is_as_deep_as_asked_for(world: World) -> None:
    with Sandbox(world, faults=faults.deep_json(50)) as asana:
        value = ask(asana, "/users/me").json()["data"]
    for _ in range(49):
        (value,) = value
    assert value == []
    with Sandbox(world, faults=faults.deep_json()) as asana, pytest.raises(RecursionError):
        json.loads(ask(asana, "/users/me").content)


def test_a_wrong_charset_is_only_a_label(world: World) -> None:
    world.rename("101", "é")
    with Sandbox(world, faults=faults.charset("iso-8859-1")) as asana:
        response = ask(asana, "/goals/101")
    assert response.encoding == "iso-8859-1"
    assert json.loads(response.content)["data"]["name"] == "é"


@pytest.mark.parametrize("key", ["data", "next_page"])
def test_a_top_level_key_can_be_missing(world: World, key: str) -> None:
    with Sandbox(world, faults=faults.without(key)) as asana:
        assert set(ask(asana, "/goals", **LIST).json()) == {"data", "next_page"} - {key}


def test_rows_can_be_edited_and_faults_combined(world: World) -> None:
    numbered = faults.edit_rows(lambda row: {**row, "gid": int(row["gid"])})
    with Sandbox(world, faults=faults.in_turn(numbered, faults.header("X-Seen", "1"))) as asana:
        response = ask(asana, "/goals", **LIST)
    assert [row["gid"] for row in response.json()["data"]] == [101, 102]
    assert response.headers["X-Seen"] == "1"


def test_a_fault_that_breaks_the_wire_ends_a_combination(world: World) -> None:
    assert raw_answer(world, faults.in_turn(faults.hang_up(), faults.header("X-Seen", "1"))) == (b"", b"")


def test_a_slow_response_is_the_regular_one(world: World) -> None:
    with Sandbox(world, faults=faults.slow(0.15)) as asana:
        before = time.monotonic()
        assert ask(asana, "/users/me").status_code == 200
        assert time.monotonic() - before >= 0.15


def test_foreign_uris_leave_offset_and_path_true(world: World) -> None:
    with Sandbox(world, faults=faults.foreign_next_page("http://elsewhere.example")) as asana:
        first = ask(asana, "/goals", **LIST).json()
        assert first["next_page"]["uri"].startswith("http://elsewhere.example/goals?")
        assert [row["gid"] for row in rows(asana, "/goals", **LIST)] == list(world.goals)


@pytest.mark.parametrize(("period", "circle"), [(1, 1), (2, 2)])
def test_offsets_can_run_in_a_circle(world: World, period: int, circle: int) -> None:
    with Sandbox(world, faults=faults.loop_offsets(period)) as asana:
        bodies = pages(asana, "/goals", **LIST)
        offsets = [next(bodies)["next_page"]["offset"] for _ in range(6)]
    assert len(set(offsets)) == circle
    assert offsets[:2] == offsets[2:4] == offsets[4:]


def test_pages_can_go_on_for_ever_with_nothing_on_them(world: World) -> None:
    with Sandbox(world, faults=faults.endless_pages()) as asana:
        bodies = pages(asana, "/goals", **LIST)
        seen = [next(bodies) for _ in range(5)]
    assert [body["data"] for body in seen] == [[]] * 5
    assert len({body["next_page"]["offset"] for body in seen}) == 5


@pytest.mark.parametrize(("size", "sizes"), [(0, [0, 2, 0, 2, 0, 1]), (1, [1, 1, 1, 1, 1, 0])])
def test_short_and_empty_pages_lose_nothing(world: World, size: int, sizes: list[int]) -> None:
    with Sandbox(world, faults=Script().on(faults.short_pages(size), path="/goals")) as asana:
        bodies = list(pages(asana, "/goals", **LIST))
    assert [len(body["data"]) for body in bodies] == sizes
    assert [row["gid"] for body in bodies for row in body["data"]] == list(world.goals)


@pytest.mark.parametrize("changes", [{}, {"name": "Another version"}], ids=["same", "changed"])
def test_a_goal_can_be_on_two_pages(world: World, changes: dict[str, Any]) -> None:
    with Sandbox(world, faults=faults.repeat_last_row(**changes)) as asana:
        listed = rows(asana, "/goals", **LIST)
    assert [row["gid"] for row in listed] == ["101", "102", "102", "103", "104", "104", "105"]
    assert listed[2] == {**listed[1], **changes}


def test_a_cut_body_is_shorter_than_its_length(world: World) -> None:
    head, body = raw_answer(world, faults.cut_body(10))
    assert len(body) == 10
    assert b"Content-Length: 10" not in head
    with Sandbox(world, faults=faults.cut_body()) as asana, pytest.raises(ChunkedEncodingError):
        ask(asana, "/goals", workspace="77")


def test_a_reset_comes_after_a_part_of_the_body(world: World) -> None:
    with Sandbox(world, faults=faults.reset(10)) as asana, asked(asana, "/goals?workspace=77") as connection:
        assert len(connection.recv(65536).partition(b"\r\n\r\n")[2]) == 10
        with pytest.raises(ConnectionResetError):
            connection.recv(65536)


def test_a_chunked_body_lacks_its_end(world: World) -> None:
    head, body = raw_answer(world, faults.chunked_without_end())
    assert b"Transfer-Encoding: chunked" in head
    assert b"Content-Length" not in head
    assert body.endswith(b"}\r\n")
    with Sandbox(world, faults=faults.chunked_without_end()) as asana, pytest.raises(ChunkedEncodingError):
        ask(asana, "/goals", workspace="77")


def test_a_cut_gzip_stream_gives_itself_away_only_by_its_missing_end(world: World) -> None:
    head, body = raw_answer(world, faults.cut_gzip())
    assert b"Content-Encoding: gzip" in head
    assert b"Content-Length" not in head
    stream = zlib.decompressobj(wbits=31)
    stream.decompress(body)
    assert not stream.eof


def test_a_bomb_is_small_on_the_wire(world: World) -> None:
    with Sandbox(world, faults=faults.gzip_bomb(2**20)) as asana, asked(asana, "/goals") as connection:
        packed = connection.recv(65536).partition(b"\r\n\r\n")[2]
    assert len(packed) < 4096
    plain = gzip.decompress(packed)
    assert len(plain) > 2**20
    assert json.loads(plain)["data"] == []


@pytest.mark.parametrize("head_too", [False, True])
def test_bytes_can_drip(world: World, head_too: bool) -> None:
    fault = faults.drip(1.0, head_too=head_too)
    with Sandbox(world, faults=fault) as asana, asked(asana, "/users/me") as connection:
        if not head_too:
            assert connection.recv(65536).endswith(b"\r\n\r\n")
        assert len(connection.recv(65536)) == 1


@pytest.mark.parametrize(
    ("fault", "head"), [(faults.head_only(), b"\r\n\r\n"), (faults.silence(), b"")], ids=["head only", "silence"]
)
def test_a_response_can_stop_before_its_body_or_never_start(world: World, fault: Fault, head: bytes) -> None:
    with Sandbox(world, faults=fault) as asana, asked(asana, "/users/me") as connection:
        if head:
            assert connection.recv(65536).endswith(head)
        connection.settimeout(1.0)
        with pytest.raises(TimeoutError):
            connection.recv(65536)
        assert asana.count() == 1


def test_a_line_can_be_closed_without_a_response(world: World) -> None:
    assert raw_answer(world, faults.hang_up()) == (b"", b"")
    with Sandbox(world, faults=faults.hang_up()) as asana:
        with pytest.raises(requests.ConnectionError):
            ask(asana, "/users/me")
        assert [call.status for call in asana.requests] == [None]


def test_a_kept_alive_line_can_close_between_two_pages(world: World) -> None:
    head, body = raw_answer(world, faults.close_after())
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"Connection: close" not in head
