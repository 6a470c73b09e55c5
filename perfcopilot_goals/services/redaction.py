"""The second line against secrets in logs: known secrets are taken out of every log record, by value.

The first line is that nobody logs them. This one is for what we do not write: a library's debug output, an error that
quotes a header. By value and not by pattern, because Asana's tokens are opaque and may change their form.
"""

import base64
import logging
from urllib.parse import unquote, unquote_to_bytes, urlsplit

MARK = "[redacted]"

_secrets: set[str] = set()
_make_record = logging.getLogRecordFactory()


def redact(secret: str) -> None:
    """From now on no log record of this process holds this value; blank ones are ignored."""
    if secret.strip():
        _secrets.add(secret)
        logging.setLogRecordFactory(_redacted_record)


def redact_credentials(url: str) -> None:
    """From now on no log record holds the URL's password: as typed, decoded, or as a header sends it with the user."""
    credentials = urlsplit(url).netloc.rpartition("@")[0]
    password = credentials.partition(":")[2]
    for secret in (password, unquote(password), base64.b64encode(unquote_to_bytes(credentials)).decode()):
        redact(secret)


def _redacted_record(*args: object, **kwargs: object) -> logging.LogRecord:
    record = _make_record(*args, **kwargs)
    try:
        text = record.getMessage()
    except (TypeError, ValueError):
        # Arguments that do not fit the message; logging itself will say so when it formats the record.
        return record
    if any(secret in text for secret in _secrets):
        # The longest first: a short one may begin a long one, whose rest would stay.
        for secret in sorted(_secrets, key=len, reverse=True):
            text = text.replace(secret, MARK)
        record.msg, record.args = text, ()
    return record
