"""A failed connect says why and what to do. A database that is coming up is waited for."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from perfcopilot_goals.errors import GoalsStoreError
from perfcopilot_goals.services.databases import open_database
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.connect_errors import WAKING_SECONDS
from perfcopilot_goals.storage.database import Database, driver
from perfcopilot_goals_tests.clock import FakeClock
from perfcopilot_goals_tests.core.examples import chain, error_texts
from perfcopilot_goals_tests.faults.doorkeeper import WELCOME, Doorkeeper, refusal
from perfcopilot_goals_tests.storage.examples import eventually

CANARY = "hunter2canary"
ROLE = "canary_role"
STARTING = refusal("57P03", "the database system is starting up")


def with_user(url: str, user: str, password: str | None = CANARY) -> str:
    return re.sub("//.*@", f"//{user}@" if password is None else f"//{user}:{quote(password, safe='')}@", url)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def failure_of(url: str, clock: FakeClock | None = None) -> GoalsStoreError:
    """The error of a connect to this address. It takes no time, however long the connect would wait."""
    checked = open_database(load_settings({"PERFCOPILOT_DATABASE_URL": url})).url
    clock = clock or FakeClock()
    with pytest.raises(GoalsStoreError) as caught, patient(checked, clock).connect("asking"):
        pass
    return caught.value


def patient(url: str, clock: FakeClock) -> Database:
    return Database(url, clock.monotonic, lambda seconds: clock.wait(seconds, threading.Event()))


def our_messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the product logged. A library may log as well, at any moment."""
    return [record.getMessage() for record in caplog.records if record.name == "perfcopilot_goals"]


def assert_tells(error: GoalsStoreError, said: str, action: str) -> None:
    """Assert that the error has the cause and what to do, and nothing that libpq or the server said."""
    assert re.match(f"GoalsStoreError: asking: {said}", str(error)), str(error)
    assert re.search(action, error.action or ""), error.action
    everything = error_texts(error)
    for quoted in (CANARY, ROLE, "127.0.0.1", "connection to server", "FATAL", "goals_", "storage_"):
        assert quoted not in everything
    assert list(chain(error)) == [error]
    assert error.exit_code == 7


@pytest.fixture
def admin(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as conn:
        yield conn
        with suppress(psycopg.Error):
            conn.execute(f"drop owned by {ROLE} cascade")
        conn.execute(f"drop role if exists {ROLE}")


@pytest.fixture
def role(admin: psycopg.Connection) -> psycopg.Connection:
    admin.execute(f"create role {ROLE} login password '{CANARY}'")
    return admin


@pytest.mark.fault("E31")
def test_a_wrong_password_and_an_unknown_user_get_the_same_error_as_in_postgres(database_url: str) -> None:
    """Postgres does not say which of the two it was, so that nobody can try out names."""
    for user in ("postgres", "nobody_here"):
        error = failure_of(with_user(database_url, user))
        assert_tells(error, r"Postgres refused the user or the password \(SQLSTATE 28P01\)", "%40")
        assert (error.sqlstate, error.retryable) == ("28P01", False)


@pytest.mark.fault("E31")
def test_a_missing_password_is_reported(database_url: str) -> None:
    assert_tells(
        failure_of(with_user(database_url, "postgres", None)), "Postgres asks for a password", "user:password@host"
    )


@pytest.mark.parametrize("name", [CANARY, "starting up", "the database system is starting up"])
@pytest.mark.fault("E31")
def test_a_database_that_does_not_exist_is_reported_whatever_its_name(database_url: str, name: str) -> None:
    clock = FakeClock()
    error = failure_of(database_url.rpartition("/")[0] + f"/{quote(name)}", clock)
    assert_tells(error, r"Postgres has no such database \(SQLSTATE 3D000\)", "createdb")
    assert (error.retryable, clock.waits) == (False, [])


@pytest.mark.fault("E31")
def test_a_role_without_login_is_reported(role: psycopg.Connection, database_url: str) -> None:
    role.execute(f"alter role {ROLE} nologin")
    error = failure_of(with_user(database_url, ROLE))
    assert_tells(error, r"Postgres has no such user, or the user may not log in \(SQLSTATE 28000\)", "LOGIN")


@pytest.mark.fault("E31")
def test_a_limit_of_connections_is_reported_and_may_pass(role: psycopg.Connection, database_url: str) -> None:
    role.execute(f"alter role {ROLE} connection limit 0")
    error = failure_of(with_user(database_url, ROLE))
    assert_tells(error, r"the limit of connections is reached \(SQLSTATE 53300\)", "raise the limit")
    assert (error.sqlstate, error.retryable) == ("53300", True)


@pytest.mark.fault("E31")
def test_a_database_that_the_user_may_not_enter_is_reported(role: psycopg.Connection, database_url: str) -> None:
    name = conninfo_to_dict(database_url)["dbname"]
    role.execute(f"revoke connect on database {name} from public")
    try:
        assert_tells(
            failure_of(with_user(database_url, ROLE)), "Postgres does not let this user into this", "Grant CONNECT"
        )
    finally:
        role.execute(f"grant connect on database {name} to public")


@pytest.fixture
def rules(admin: psycopg.Connection) -> Iterator[Callable[[str], None]]:
    """Puts a rule before those of pg_hba.conf, for one test."""
    (path,) = admin.execute("show hba_file").fetchone() or ("",)
    file = Path(path)
    before = file.read_bytes()

    def lay(rule: str) -> None:
        file.write_bytes(f"{rule}\n".encode() + before)
        admin.execute("select pg_reload_conf()")
        # The server reloads a moment later.
        while admin.execute("select count(*) from pg_hba_file_rules where line_number = 1").fetchone() != (1,):
            pass

    yield lay
    file.write_bytes(before)
    admin.execute("select pg_reload_conf()")


@pytest.mark.fault("E32")
def test_tls_that_the_server_does_not_offer_is_reported(database_url: str) -> None:
    error = failure_of(f"{database_url}?sslmode=require")
    assert_tells(error, "the address requires TLS, and Postgres does not offer it", "sslmode")
    assert not error.retryable


@pytest.mark.fault("E32")
def test_tls_that_the_server_requires_is_reported(rules: Callable[[str], None], database_url: str) -> None:
    # hostssl lets in sessions with TLS. The next rule turns the others away.
    name = conninfo_to_dict(database_url)["dbname"]
    rules(f"hostssl {name} {ROLE} 127.0.0.1/32 scram-sha-256\nhost {name} {ROLE} 127.0.0.1/32 reject")
    eventually(lambda: failure_of(with_user(database_url, ROLE)).sqlstate == "28000")
    error = failure_of(with_user(database_url, ROLE))
    assert_tells(error, r"Postgres does not let this user in from this machine without TLS", "sslmode=require")


@pytest.mark.fault("E31")
def test_an_unknown_user_is_reported_also_by_a_server_that_trusts_everybody(
    rules: Callable[[str], None], database_url: str
) -> None:
    rules(f"host {conninfo_to_dict(database_url)['dbname']} {ROLE} 127.0.0.1/32 trust")
    eventually(lambda: failure_of(with_user(database_url, ROLE)).sqlstate == "28000")
    assert_tells(failure_of(with_user(database_url, ROLE)), "Postgres has no such user", "create a role")


@pytest.mark.parametrize("options", ["-c no_such_setting=1", "-c lock_timeout=canary", "--no-such"])
def test_a_parameter_that_postgres_refuses_is_reported(database_url: str, options: str) -> None:
    assert_tells(
        failure_of(f"{database_url}?options={quote(options)}"), "Postgres refused a parameter of the address", "options"
    )


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70, "xn--\N{SNOWMAN}.invalid"])
@pytest.mark.fault("E33")
def test_a_host_that_does_not_resolve_is_reported(host: str) -> None:
    error = failure_of(f"postgresql://user:{CANARY}@{quote(host)}/goals")
    assert_tells(error, "the host of the database does not resolve", "DNS")


@pytest.mark.fault("E33")
def test_a_missing_socket_is_reported() -> None:
    error = failure_of(f"postgresql://user:{CANARY}@%2Fno%2Fsuch%2F{CANARY}/goals")
    assert_tells(error, "there is no Postgres behind the socket of the address", "folder")


@pytest.mark.parametrize("ports", [1, 2], ids=["one host", "two hosts"])
@pytest.mark.fault("E1", "E33")
def test_a_closed_port_is_reported_at_once(ports: int) -> None:
    clock = FakeClock()
    hosts = ",".join(f"127.0.0.1:{free_port()}" for _ in range(ports))
    error = failure_of(f"postgresql://user:{CANARY}@{hosts}/goals", clock)
    assert_tells(error, "nothing takes connections at the database's host and port", "Start Postgres")
    assert (error.sqlstate, error.retryable, clock.waits) == ("", True, [])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what answers at the address is not Postgres"),
        (refusal("53300", "sorry, too many clients already"), "the limit of connections is reached"),
        (refusal("53300", "no more connections allowed (max_client_conn)"), "the limit of connections is reached"),
        (refusal("XX000", "MaxClientsInSessionMode: max clients reached"), "the limit of connections is reached"),
        (refusal("XX000", "Tenant or user not found"), "Postgres has no such user"),
        (refusal("28000", "SSL connection is required. Please specify SSL options"), "Postgres does not let .* TLS"),
        (refusal("28000", "connection is insecure (try using `sslmode=require`)"), "Postgres does not let .* TLS"),
        (refusal("28000", f'LDAP authentication failed for user "{CANARY}"'), "Postgres refused the user or"),
        (refusal("28000", "connection requires a valid client certificate"), "Postgres asks for a client certificate"),
        (refusal("08P01", "unsupported startup parameter in options: x"), "a pooler refused a start-up parameter"),
        (refusal("XX000", f"{CANARY} it is"), "the connect failed for an unknown reason"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
@pytest.mark.fault("E33")
def test_the_words_of_hosted_databases_and_poolers_are_reported_as_their_cause(answer: bytes, said: str) -> None:
    with Doorkeeper(answer) as door:
        error = failure_of(f"postgresql://{CANARY}:{CANARY}@127.0.0.1:{door.port}/goals?sslmode=disable")
    assert_tells(error, said, "PERFCOPILOT_DATABASE_URL|raise the limit")


@pytest.mark.fault("E30")
@pytest.mark.parametrize("answer", [STARTING, b""], ids=["says that it starts", "hangs up"])
def test_a_database_that_comes_up_is_waited_for(
    database_url: str, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    given = conninfo_to_dict(database_url)
    clock = FakeClock()
    with Doorkeeper(answer, times=36, port=int(str(given["port"]))) as door:
        url = database_url.replace(f":{given['port']}/", f":{door.port}/")
        with patient(url, clock).connect("asking") as conn:
            assert driver(conn).execute("select 1").fetchone() == (1,)
    assert door.turned_away == 36
    assert sum(clock.waits) == 18
    (line,) = our_messages(caplog)
    assert line.endswith("; waiting up to 60 seconds for it.")


@pytest.mark.fault("E30")
def test_a_database_that_never_comes_up_is_waited_for_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    with Doorkeeper(STARTING) as door:
        error = failure_of(f"postgresql://u:{CANARY}@127.0.0.1:{door.port}/goals", clock)
    assert_tells(error, r"Postgres is starting up .* \(SQLSTATE 57P03\), after 60 seconds of waiting", "once it is up")
    assert error.retryable
    assert sum(clock.waits) == WAKING_SECONDS
    assert our_messages(caplog) == [
        "Postgres is starting up or shutting down, and takes no connections yet; waiting up to 60 seconds for it."
    ]


@pytest.mark.fault("E30")
def test_a_proxy_that_holds_the_line_while_the_database_wakes_is_waited_for(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    given = conninfo_to_dict(database_url)
    with Doorkeeper(times=1, keep=True, port=int(str(given["port"]))) as door:
        url = database_url.replace(f":{given['port']}/", f":{door.port}/")
        with patient(f"{url}?connect_timeout=2", FakeClock()).connect("asking") as conn:
            assert driver(conn).execute("select 1").fetchone() == (1,)
    assert our_messages(caplog) == ["The database's host does not answer; waiting up to 60 seconds for it."]


@pytest.mark.fault("E4", "E30")
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "the connect failed for an unknown reason"),
        (refusal("XX000", "was es auch sei"), r"Postgres said SQLSTATE XX000"),
        (refusal("28P01", "Passwort-Authentifizierung fehlgeschlagen"), r"Postgres refused the user or the password"),
    ],
    ids=["hangs up", "says something", "says it in another language"],
)
def test_a_session_that_breaks_right_after_the_login_is_not_waited_for(answer: bytes, said: str) -> None:
    clock = FakeClock()
    with Doorkeeper(WELCOME, answer) as door:
        error = failure_of(f"postgresql://u:{CANARY}@127.0.0.1:{door.port}/goals", clock)
    assert_tells(error, said, "PERFCOPILOT_DATABASE_URL")
    assert clock.waits == []


def test_a_wait_can_be_interrupted() -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with Doorkeeper(STARTING) as door:
        database = Database(f"postgresql://u@127.0.0.1:{door.port}/goals", sleep=interrupt)
        with pytest.raises(KeyboardInterrupt), database.connect("asking"):
            pass
