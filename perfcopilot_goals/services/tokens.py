"""Where a connection's token is kept, and the token itself.

A person who can change a connection chooses what is read as its token and, within bounds, where that is sent. So a
reference must not lead to the program's other secrets. It is checked when it is set, and again each time the token is
read. `core.tokens` knows what a token looks like.

An administrator may also type a token in. It becomes a file that only its owner can read, and is never shown again. A
new token gets a new file. So the connection's reference changes, and the sensor that watches for mended settings sees
it.
"""

import os
import re
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from perfcopilot_goals.core.tokens import find_token_faults
from perfcopilot_goals.errors import GoalsConfigError, GoalsError
from perfcopilot_goals.local_postgres.files import OUTSIDE
from perfcopilot_goals.services.redaction import redact
from perfcopilot_goals.settings import Settings, make_token_folder

TOKEN_FILE_BYTES = 4_096

# Variables of the program, of Dagster, of libpq, and of what deploy/ starts beside them. Several hold a password.
_OTHER_VARIABLES = re.compile(
    r"(PERFCOPILOT_|DAGSTER|PG|POSTGRES|BROKER|CELERY|REDIS).*|.*(?i:PASSWORD|DATABASE_URL|PROXY)"
)
# Files that the kernel makes up. They look like regular files, and one of them is the environment.
_KERNEL_FILES = (Path("/proc"), Path("/sys"))
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def check_token_ref(token_ref: str, settings: Settings) -> str:
    """The reference as given; `GoalsConfigError` if it must not be read as a token.

    A file need not exist yet, and may be on another machine.
    """
    if not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/.+", token_ref) or not token_ref.isprintable():
        # What was typed may be the token itself, so it is not repeated.
        raise GoalsConfigError(
            "a token reference is env:NAME or file:/path, never the token; what was given is neither",
            action="Put the token into a variable or a file and name that, such as env:ASANA_ACCESS_TOKEN",
        )
    kind, _, place = token_ref.partition(":")
    if kind == "env" and _OTHER_VARIABLES.fullmatch(place):
        raise GoalsConfigError(
            f"environment variable {place} may hold another secret, so it is not read as a token",
            action="Put the token into a variable of its own, such as ASANA_ACCESS_TOKEN",
        )
    if kind == "file":
        path = Path(place)
        _check_place(path, settings)
        # A path that cannot be read here may exist for the worker that reads it.
        with suppress(OSError, ValueError):
            _check_file(path, path.stat())
    return token_ref


def load_token(token_ref: str, connection: str, settings: Settings, environ: Mapping[str, str] | None = None) -> str:
    """The token that a connection's reference leads to, stripped. A `GoalsConfigError` never holds its value."""
    env = os.environ if environ is None else environ
    try:
        kind, _, place = check_token_ref(token_ref, settings).partition(":")
        if kind == "env":
            return _check_token(env.get(place, ""), f"environment variable {place}")
        return _check_token(_read_text(Path(place), settings), f"file {place}")
    except GoalsError as error:
        error.about(connection)
        raise


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


def drop_token(settings: Settings, token_ref: str) -> None:
    """Deletes the file of a token that was typed in. Any other file, and any other reference, stays."""
    path = Path(token_ref.removeprefix("file:"))
    is_ours = path.parent == settings.token_folder and re.fullmatch(r"page-.+-[0-9a-f]{8}", path.name)
    if token_ref.startswith("file:") and is_ours:
        with suppress(OSError):
            path.unlink()


def _check_token(text: str, where: str) -> str:
    token = text.strip()
    if not token:
        raise GoalsConfigError(
            f"connection {{connection}} has no Asana token: {where} is unset or empty",
            action="Put a personal access token there, or name another place: "
            "perfcopilot-goals connection set {connection} --token-ref env:NAME",
        )
    if faults := find_token_faults(token):
        # If it were sent, the HTTP library's error would quote it in full.
        raise GoalsConfigError(
            f"the token in {where} {' and '.join(faults)}; no request was sent",
            action="Copy it again: the token alone, in one line, as Asana shows it",
        )
    return token


def _read_text(path: Path, settings: Settings) -> str:
    content = _read_file(path, settings)
    if content.startswith(_UTF_16_MARKS):
        raise _unreadable(path, "it is saved as UTF-16", "Save it as plain text, UTF-8")
    # Compared, not caught: a UnicodeDecodeError holds the file's content, and would be the context of our error.
    text = content.decode("utf-8", "replace")
    if text.encode("utf-8", "replace") != content:
        raise _unreadable(path, "it is not plain text", "Save it as plain text, UTF-8")
    return text


def _read_file(path: Path, settings: Settings) -> bytes:
    """The content of a small regular file. Checks run on the opened file, so it cannot be swapped in between."""
    # Without O_NONBLOCK, opening a FIFO blocks until somebody writes.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__
        raise _unreadable(path, why, "Check the path and who may read it") from None
    try:
        opened = os.fstat(descriptor)
        _check_file(path, opened)
        _check_place(path, settings, opened)
        content = b""
        while len(content) <= TOKEN_FILE_BYTES and (more := os.read(descriptor, TOKEN_FILE_BYTES + 1)):
            content += more
    except OSError as error:
        raise _unreadable(path, type(error).__name__, "Check the path and who may read it") from None
    finally:
        os.close(descriptor)
    if len(content) > TOKEN_FILE_BYTES:
        raise _too_large(path)
    return content


def _check_file(path: Path, found: os.stat_result) -> None:
    """Refuses anything but a regular file, and a file larger than any token."""
    if not stat.S_ISREG(found.st_mode):
        raise _unreadable(path, "it is no regular file", "Name a file that holds the token alone")
    if found.st_size > TOKEN_FILE_BYTES:
        raise _too_large(path)


def _check_place(path: Path, settings: Settings, opened: os.stat_result | None = None) -> None:
    """Refuses a path that leads to the program's own files in any way. `opened` is the file that was opened."""
    if ".." in path.parts:
        raise _unreadable(path, "its path has .. in it", "Name the file without it")
    real = Path(os.path.realpath(path))
    if opened is not None and not os.path.samestat(real.stat(), opened):
        raise _unreadable(path, "its path leads elsewhere than it says", "Name the file itself")
    for there in (path, real):
        if _is_within(there, settings.home) and not _is_within(there, settings.token_folder):
            raise GoalsConfigError(
                f"token file {path} is in the program's own folder, where other secrets are, so it is not read",
                action=f"Put it into {settings.token_folder}, or into a folder of your own",
            )
    if any(_is_within(real, folder) for folder in (*_KERNEL_FILES, OUTSIDE)):
        raise _unreadable(path, "files of the system are not for tokens", "Name a file that holds the token alone")


def _is_within(path: Path, folder: Path) -> bool:
    """Whether a path leads into a folder. The folder's identity counts too, as a folder can have several names."""
    if path.is_relative_to(folder) or path.is_relative_to(os.path.realpath(folder)):
        return True
    for parent in path.parents:
        with suppress(OSError, ValueError):
            if os.path.samestat(parent.stat(), folder.stat()):
                return True
    return False


def _unreadable(path: Path, why: str, action: str) -> GoalsConfigError:
    return GoalsConfigError(f"token file {path} is not read: {why}; no request was sent", action=action)


def _too_large(path: Path) -> GoalsConfigError:
    return _unreadable(path, f"it is larger than {TOKEN_FILE_BYTES:,} bytes", "Name a file that holds the token alone")
