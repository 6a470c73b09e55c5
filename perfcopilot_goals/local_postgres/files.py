"""The local Postgres on disk: where its folders are, who owns them, and which user the server runs as.

Add here what is a path, an owner or a mode. `programs` runs the programs.

For an ordinary user everything is in `PERFCOPILOT_HOME/postgres`. For root that does not work. Postgres refuses to run
as root, and the user that it runs as (`PERFCOPILOT_POSTGRES_USER`) may not be able to enter the checkout. So only the
password and the locks stay in the home. The data and the log are in `/var/lib/perfcopilot-goals/<hash of the home's
path>`. If that user cannot run the installed programs, a copy of them is there too. No user is added, and no existing
folder's mode is changed.
"""

import hashlib
import os
import pwd
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from perfcopilot_goals.errors import GoalsConfigError, GoalsStoreError
from perfcopilot_goals.settings import Settings, make_home

OUTSIDE = Path("/var/lib/perfcopilot-goals")
ELSEWHERE = "or set PERFCOPILOT_DATABASE_URL to a Postgres of yours"


@dataclass(frozen=True)
class ServerFiles:
    """`notes` is the caller's folder in the home, `base` the server's folder, `user` runs it (None: the caller)."""

    notes: Path
    base: Path
    user: pwd.struct_passwd | None

    @property
    def data(self) -> Path:
        """The cluster. The folder exists only once it is complete."""
        return self.base / "data"

    @property
    def log(self) -> Path:
        return self.base / "server.log"

    @property
    def alive_lock(self) -> Path:
        """Locked by the server's processes, which inherit the open file. Free once all have ended, even as zombies."""
        return self.base / "alive.lock"

    @property
    def start_lock(self) -> Path:
        return self.notes / "start.lock"

    @property
    def users_lock(self) -> Path:
        return self.notes / "users.lock"

    @property
    def keep_marker(self) -> Path:
        return self.notes / "keep"

    @property
    def password_file(self) -> Path:
        return self.notes / "password"

    def password(self) -> str:
        """The password, or "" if there is none."""
        try:
            return self.password_file.read_text("utf-8", "replace").strip()
        except (FileNotFoundError, NotADirectoryError):
            return ""


def locate(settings: Settings) -> ServerFiles:
    """Where this home's server is, and as root the user that it runs as. Creates nothing."""
    home = settings.home.resolve()
    notes = home / "postgres"
    if os.geteuid() != 0:
        return ServerFiles(notes, notes, None)
    user = None
    with suppress(KeyError):
        user = pwd.getpwnam(settings.postgres_user)
    if user is None or user.pw_uid == 0:
        problem = "there is no such user here" if user is None else "Postgres refuses to run as root"
        raise GoalsConfigError(
            f"local Postgres: PERFCOPILOT_POSTGRES_USER is {settings.postgres_user}, and {problem}; "
            f"set it to an existing unprivileged user, {ELSEWHERE}"
        )
    if (notes / "data").exists():
        # A second, empty database outside would look as if everything were lost.
        raise GoalsStoreError(
            f"local Postgres: the database in {notes} belongs to uid {(notes / 'data').stat().st_uid}, but this is "
            f"root; run the command as that user, or choose another PERFCOPILOT_HOME",
            "42501",
        )
    return ServerFiles(notes, OUTSIDE / hashlib.sha256(os.fsencode(home)).hexdigest()[:16], user)


def make_folders(settings: Settings, files: ServerFiles) -> None:
    """Make the folders that hold everything else."""
    make_home(settings)
    make_folder(files.notes, 0o700)
    if files.base != files.notes:
        make_folder(OUTSIDE, 0o755)
        # The server's user may pass through to its data, but cannot put anything where root reads and writes.
        make_folder(files.base, 0o711)


def make_folder(path: Path, mode: int) -> None:
    """Make the folder with that mode, whatever the umask. One that exists keeps its mode."""
    with suppress(FileExistsError):
        path.mkdir()
        path.chmod(mode)


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def claim(files: ServerFiles) -> bool:
    """Mark the server's folder as this home's. False if its data is from an earlier home at this path, now deleted."""
    if files.base == files.notes:
        return True
    inside, outside = files.notes / "id", files.base / "id"
    if not inside.exists():
        write_private(inside, secrets.token_hex(16))
    if files.data.exists():
        return outside.exists() and outside.read_text() == inside.read_text()
    write_private(outside, inside.read_text())
    return True
