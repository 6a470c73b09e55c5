"""Who gets which alert: each newly truncated employee once, a failure with what to do."""

import json

import pytest

from perfcopilot_goals.core.alerts import (
    SHOWN,
    Truncated,
    failure_text,
    newly_truncated,
    parse_alerted,
    render_alerted,
    truncation_text,
)

LINK = "http://127.0.0.1:3000/assets/prompt_blocks"
WEBHOOK = "https://hooks.example/services/T0/B0/secret"


def new(cursor: str | None, now: Truncated, webhook: str = WEBHOOK) -> dict[str, dict[str, int]]:
    """The employees in the next alert, after a tick that left this cursor."""
    return newly_truncated(parse_alerted(cursor, webhook), now, webhook)


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({}, {}, {}),
        ({}, {"acme": {"E1": 243}}, {"acme": {"E1": 243}}),
        ({"acme": {"E1": 243}}, {"acme": {"E1": 243}}, {}),
        ({"acme": {"E1": 243}}, {"acme": {"E1": 260, "E2": 201}}, {"acme": {"E2": 201}}),
        ({"acme": {"E1": 243}}, {"globex": {"E1": 243}}, {"globex": {"E1": 243}}),
        ({"acme": {"E1": 243}}, {}, {}),
    ],
    ids=["none", "first", "still", "one more", "another connection's", "healed"],
)
def test_only_employees_without_an_earlier_alert_are_new(before: Truncated, now: Truncated, told: object) -> None:
    assert new(render_alerted(before, WEBHOOK), now) == told


def test_an_employee_who_is_truncated_again_later_gets_another_alert() -> None:
    once = {"acme": {"E1": 243}}
    assert new(None, once) == new(render_alerted({"acme": {}}, WEBHOOK), once) == once


@pytest.mark.fault("H30")
def test_the_cursor_names_nobody_and_hides_everybody_without_the_webhooks_url() -> None:
    now = {"acme": {"E003": 243, "ada": 201}, "globex": {"E003": 243}}
    cursor = render_alerted(now, WEBHOOK)
    assert "E003" not in cursor
    assert "ada" not in cursor
    assert "243" not in cursor
    digests = {connection: set(employees) for connection, employees in json.loads(cursor).items()}
    assert not digests["acme"] & digests["globex"], "the same id of another connection has another digest"
    assert cursor == render_alerted({"globex": now["globex"], "acme": {"ada": 300, "E003": 243}}, WEBHOOK)
    guessed = json.loads(render_alerted(now, f"{WEBHOOK}x"))
    assert not digests["acme"] & set(guessed["acme"])


@pytest.mark.fault("H30")
def test_the_cursor_of_an_earlier_version_is_read_and_nobody_is_alerted_twice() -> None:
    before = json.dumps({"acme": {"E1": 243, "[erased]": 201}, "globex": {"E2": 201}})
    assert new(before, {"acme": {"E1": 250, "E2": 201}}) == {"acme": {"E2": 201}}


@pytest.mark.parametrize("cursor", ["", "no json", "7", "[]", "null", '{"acme": 7}', '{"acme": [7, null]}'])
def test_after_a_cursor_that_cannot_be_read_everybody_is_in_the_alert_rather_than_nobody(cursor: str) -> None:
    now = {"acme": {"E1": 243}}
    assert new(cursor, now) == now


def test_another_webhook_gets_the_whole_alert() -> None:
    now = {"acme": {"E1": 243}}
    assert new(render_alerted(now, WEBHOOK), now, "https://hooks.example/other") == now


@pytest.mark.fault("H33")
def test_a_mention_or_a_link_in_an_id_is_posted_as_plain_letters() -> None:
    texts = (
        truncation_text({"<!here>": {"<!channel>": 243, "<https://evil.example|R&D>": 201}}, 200, LINK),
        failure_text("<!channel>", "sync_goals", "GoalsConfigError: no connection '<@U123>' & more", LINK),
    )
    for text in texts:
        assert "<" not in text
        assert ">" not in text
        assert LINK in text
    assert "&lt;!channel&gt; (243)" in texts[0]
    assert "&lt;https://evil.example|R&amp;D&gt; (201)" in texts[0]
    assert "no connection '&lt;@U123&gt;' &amp; more" in texts[1]


def test_the_alert_of_a_failure_has_the_connection_the_error_and_a_link() -> None:
    error = "GoalsConfigError: connection acme: its Asana workspace GID is not set"
    told = failure_text("acme", "sync_goals", error, LINK).splitlines()
    assert told == ["Sync of connection acme failed.", error, LINK]


def test_the_alert_of_a_job_over_all_connections_names_the_job() -> None:
    error = "GoalsStoreError: deleting old history: Postgres did not respond"
    assert failure_text(None, "retention", error, LINK).splitlines() == ["Job retention failed.", error, LINK]


def test_the_alert_of_a_truncation_has_the_connection_the_employees_and_the_cap() -> None:
    told = truncation_text({"globex": {"E2": 201}, "acme": {"E10": 300, "E1": 243}}, 200, LINK).splitlines()
    assert "more than 200" in told[0]
    assert told[1:3] == ["acme: E1 (243), E10 (300)", "globex: E2 (201)"]
    assert told[-1] == LINK


def test_long_lists_are_cut_and_counted() -> None:
    many = {f"E{number:03d}": 201 for number in range(SHOWN + 5)}
    told = truncation_text({f"c{number:03d}": many for number in range(SHOWN + 3)}, 200, LINK).splitlines()
    assert told[1].endswith("and 5 more")
    assert "and in 3 more connections" in told
    assert len([line for line in told if line.startswith("c0")]) == SHOWN
