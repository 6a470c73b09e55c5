"""The second line of defence: a log record never holds a known secret, in its message or in a traceback."""

import logging
from collections.abc import Iterator

import pytest

from perfcopilot_goals.services.redaction import redact

SECRET = "canary-secret-71c0d2"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[logging.Logger]:
    redact(SECRET)
    with caplog.at_level(logging.DEBUG):
        yield logging.getLogger("a.library")


def fail_with_the_secret() -> None:
    try:
        raise ValueError(f"header {SECRET}")
    except ValueError as error:
        raise OSError("the request failed") from error


@pytest.mark.fault("H3")
def test_an_error_that_quotes_the_secret_is_logged_without_it(
    log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        fail_with_the_secret()
    except OSError:
        log.exception("it failed")
    (record,) = caplog.records
    shown = logging.Formatter().format(record)
    assert SECRET not in shown + repr(record.__dict__)
    assert "ValueError: header [redacted]" in shown
    assert "OSError: the request failed" in shown


def test_an_error_without_a_secret_is_logged_as_it_is(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    error = ValueError("plain")
    log.error("it failed", exc_info=error)
    (record,) = caplog.records
    assert record.exc_info == (ValueError, error, None)


def test_a_message_loses_the_secret_wherever_it_came_from(
    log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    log.warning("token %s of %s", SECRET, "acme")
    log.warning(f"token {SECRET}")
    assert caplog.messages == ["token [redacted] of acme", "token [redacted]"]
