"""Tokens that an administrator types in: each becomes a file that only its owner can read, and is never shown again.

A new token gets a new file. So the connection's reference changes, and the sensor that watches for mended settings
sees it. `tokens` reads the file as it reads any other.
"""

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from perfcopilot_goals.core.tokens import find_token_faults
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.services.redaction import redact
from perfcopilot_goals.settings import Settings, make_token_folder


def check_token(token: str) -> str:
    """The token without blanks around it, or `GoalsConfigError`, which does not hold it."""
    token = token.strip()
    faults = find_token_faults(token) if token else ["is empty"]
    if faults:
        raise GoalsConfigError(
            f"the token {' and '.join(faults)}", action="Copy it again: the token alone, in one line, as Asana shows it"
        )
    return token


def store_token(settings: Settings, connection: str, token: str) -> str:
    """Writes the token to a new file of mode 0600; returns the reference to it."""
    token = check_token(token)
    redact(token)
    path = make_token_folder(settings) / f"page-{connection}-{secrets.token_hex(4)}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{token}\n")
        file.flush()
        os.fsync(file.fileno())
    return f"file:{path}"


def drop_token(settings: Settings, connection: str, token_ref: str) -> None:
    """Deletes the file of a token that was typed in. Any other file, and any other reference, stays."""
    path = Path(token_ref.removeprefix("file:"))
    is_ours = path.parent == settings.token_folder and re.fullmatch(
        rf"page-{re.escape(connection)}-[0-9a-f]{{8}}", path.name
    )
    if token_ref.startswith("file:") and is_ours:
        with suppress(OSError):
            path.unlink()
