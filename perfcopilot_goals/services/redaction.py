"""The second line of defence against secrets in logs: removes known secrets from every log record, by value.

The first line is that our own code does not log them. This one covers what we do not write: a library's debug output,
or an error that quotes a header. It works by value, not by pattern, because Asana's tokens are opaque and may change
their form.
"""

import logging
import re
from urllib.parse import unquote

from perfcopilot_goals.domain.web_address import basic_credentials

MARK = "[redacted]"
SECRET_CHARS = 4

_FORMATTER = logging.Formatter()
_secrets: set[str] = set()
_make_record = logging.getLogRecordFactory()


def redact(secret: str) -> None:
    """From now on no log record of this process holds this value, tracebacks included.

    One of a few characters is ignored: nobody could read a log without any "a" or "1".
    """
    if len(secret.strip()) >= SECRET_CHARS:
        _secrets.add(secret)
        logging.setLogRecordFactory(_redacted_record)


def redact_credentials(url: str) -> None:
    """From now on no log record holds the URL's password: as typed, decoded, or as a header sends it with the user."""
    # Not by `urlsplit`, which refuses some URLs of several hosts that Postgres takes.
    found = re.match("[^:/?#]+://([^/?#]*)@", url)
    credentials = found[1] if found else ""
    password = credentials.partition(":")[2]
    for secret in (password, unquote(password), basic_credentials(credentials)):
        redact(secret)


def _redacted_record(*args: object, **kwargs: object) -> logging.LogRecord:
    record = _make_record(*args, **kwargs)
    _redact_traceback(record)
    try:
        text = record.getMessage()
    except (TypeError, ValueError):
        # The arguments do not fit the message. logging reports that when it formats the record.
        return record
    if (safe := _without_secrets(text)) != text:
        record.msg, record.args = safe, ()
    return record


def _redact_traceback(record: logging.LogRecord) -> None:
    """An error that quotes a secret is kept as text alone: a handler may print the error itself."""
    if record.exc_info:
        trace = _FORMATTER.formatException(record.exc_info)
        if (safe := _without_secrets(trace)) != trace:
            record.exc_info, record.exc_text = None, safe


def _without_secrets(text: str) -> str:
    # The longest first: a short secret may be the beginning of a long one, whose rest would stay.
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, MARK)
    return text
