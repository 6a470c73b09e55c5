"""The second line of defence: a log record never holds a known secret, in its message or in a traceback."""

import logging
from collections.abc import Iterator

import pytest

from perfcopilot_goals.services.databases import open_migrated_database
from perfcopilot_goals.services.redaction import redact, redact_credentials
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.database import Database

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
    (record,) = [record for record in caplog.records if record.name == log.name]
    shown = logging.Formatter().format(record)
    assert SECRET not in shown + repr(record.__dict__)
    assert "ValueError: header [redacted]" in shown
    assert "OSError: the request failed" in shown


def test_an_error_without_a_secret_is_logged_as_it_is(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    error = ValueError("plain")
    log.error("it failed", exc_info=error)
    (record,) = [record for record in caplog.records if record.name == log.name]
    assert record.exc_info == (ValueError, error, None)


def test_a_message_loses_the_secret_wherever_it_came_from(
    log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    log.warning("token %s of %s", SECRET, "acme")
    log.warning(f"token {SECRET}")
    messages = [record.getMessage() for record in caplog.records if record.name == log.name]
    assert messages == ["token [redacted] of acme", "token [redacted]"]


@pytest.mark.fault("H2")
def test_the_databases_password_is_in_no_log_as_typed_and_as_it_is(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    password = Database(database_url).password
    typed = "".join(f"%{ord(character):02X}" for character in password)
    url = database_url.replace(f":{password}@", f":{typed}@")
    database = open_migrated_database(load_settings({"PERFCOPILOT_DATABASE_URL": url}))
    logging.getLogger("a.library").warning("cannot connect to %s with %s", url, password)
    database.close()
    assert typed not in caplog.text
    assert password not in caplog.text


@pytest.mark.parametrize("host", ["one.example,[::1]:5433", "host.example"])
def test_a_password_is_found_in_front_of_several_hosts_and_a_short_one_stays_readable(
    host: str, caplog: pytest.LogCaptureFixture
) -> None:
    redact_credentials(f"postgresql://user:canary@{host}/goals")
    redact_credentials(f"postgresql://user:abc@{host}/goals")
    logging.getLogger("a.library").warning("canary, abc")
    assert caplog.messages == ["[redacted], abc"]
