"""Why a connect to Postgres failed. Each cause has what to say, what to do, and how long to wait for it to pass.

Add a cause here when a server, a pooler or libpq refuses in words that are not in the table. Their words are matched
but never repeated, because they quote names and addresses. psycopg has no SQLSTATE for a failed connect, so each cause
has the code that the server sends with its words. A text that fits no cause is reported as an unknown reason.
"""

import re
from dataclasses import dataclass

import psycopg

from perfcopilot_goals.errors import GoalsStoreError

# How long to wait for a database that is starting or waking. Nobody waits for a closed port: it is a wrong address more
# often than a Postgres that will be up in a moment, and the person who typed it wants to know at once.
WAKING_SECONDS = 60.0

URL = "PERFCOPILOT_DATABASE_URL"


@dataclass(frozen=True)
class Cause:
    """One way to fail. `words` is a pattern of what servers and libpq say, with `""` for every quoted name.

    `said` is what our error says in its place. `sqlstate` is the server's code, or "" if libpq itself gave up.
    `passes_in_seconds` is how long to wait for it to pass. It is 0 if a later try may succeed and nobody waits for it,
    and None if somebody has to change something.
    """

    words: str
    said: str
    action: str
    sqlstate: str = ""
    passes_in_seconds: float | None = None


_NO_SUCH_HOST = Cause(
    "failed to resolve host|could not translate host name",
    "the host of the database does not resolve",
    f"Correct the host in {URL}, or check this machine's DNS",
    passes_in_seconds=0,
)

# The first cause that fits is taken. With sslmode=prefer libpq tries twice and reports both tries. So the words about
# the login come before those about TLS, and the server's words before libpq's own.
_CAUSES = (
    Cause(
        "starting up|not yet accepting connections|in recovery mode|shutting down",
        "Postgres is starting up or shutting down, and takes no connections yet",
        "Try again once it is up",
        sqlstate="57P03",
        passes_in_seconds=WAKING_SECONDS,
    ),
    Cause(
        "server_login_retry|server login has been failing|cannot connect to server|server conn crashed",
        "the pooler cannot reach its Postgres",
        "Check that Postgres runs; the pooler's log has the details",
        sqlstate="08006",
        passes_in_seconds=WAKING_SECONDS,
    ),
    Cause(
        "unsupported startup parameter",
        "a pooler refused a start-up parameter",
        f"Take `options` and other parameters out of {URL}, or use the direct address of Postgres",
        sqlstate="08P01",
    ),
    Cause(
        "unrecognized configuration parameter|invalid value for parameter|permission denied to set parameter"
        "|invalid command-line argument|requires a (Boolean )?value|cannot be (set|changed)",
        "Postgres refused a parameter of the address",
        f"Correct or remove `options` in {URL}",
        sqlstate="42704",
    ),
    Cause(
        "valid client certificate|certificate authentication failed",
        "Postgres asks for a client certificate",
        f"Add sslcert=/path and sslkey=/path to {URL}",
        sqlstate="28000",
    ),
    Cause(
        "no password supplied|empty password",
        "Postgres asks for a password, and the address has none",
        f"Put it into {URL} (postgresql://user:password@host:5432/database)",
        sqlstate="28P01",
    ),
    Cause(
        "authentication failed|wrong password|no such user",
        "Postgres refused the user or the password",
        f"Correct them in {URL}, with special characters of the password percent-encoded (@ is %40)",
        sqlstate="28P01",
    ),
    Cause(
        'role "" does not exist|not permitted to log in|Tenant or user not found',
        "Postgres has no such user, or the user may not log in",
        f"Correct the user in {URL}, or create a role with LOGIN",
        sqlstate="28000",
    ),
    Cause(
        'database "" does not exist|no such database',
        "Postgres has no such database",
        f"Correct the database's name in {URL}, or create it (createdb)",
        sqlstate="3D000",
    ),
    Cause(
        "permission denied for database|not currently accepting connections",
        "Postgres does not let this user into this database",
        f"Grant CONNECT on it, or name another database in {URL}",
        sqlstate="42501",
    ),
    Cause(
        "too many clients|too many connections|connection slots are reserved|no more connections allowed"
        "|query_wait_timeout|max client|maxclients",
        "the limit of connections is reached",
        "Close connections or raise the limit: of the server, the database, the user or the pooler",
        sqlstate="53300",
        passes_in_seconds=0,
    ),
    Cause(
        r"pg_hba\.conf.*(SSL encryption|SSL on)",
        "Postgres has no rule that lets this user in from this machine",
        "Add one to pg_hba.conf, or allow this machine where the database is hosted",
        sqlstate="28000",
    ),
    Cause(
        r"no encryption|SSL off|pg_hba\.conf|SSL connection is required|SSL required|connection is insecure",
        "Postgres does not let this user in from this machine without TLS",
        f"Put sslmode=require into {URL}. If that is refused too, add a rule to pg_hba.conf",
        sqlstate="28000",
    ),
    Cause(
        "does not support SSL",
        "the address requires TLS, and Postgres does not offer it",
        f"Turn TLS on in Postgres, or take sslmode out of {URL}",
    ),
    Cause(
        "certificate verify failed|root certificate|server certificate|certificate file|private key file",
        "a certificate of the TLS connection is missing or not trusted",
        f"Name the authority's file (sslrootcert=/path) and, with sslmode=verify-full, the certificate's host in {URL}",
    ),
    Cause(
        "expected authentication request|invalid response to SSL negotiation|unsupported frontend protocol",
        "what answers at the address is not Postgres",
        f"Correct host and port in {URL}",
    ),
    Cause(
        "SSL error|SSL SYSCALL|SSL connection has been closed|tlsv1|sslv3",
        "TLS with Postgres failed",
        f"Check sslmode and the other TLS parameters in {URL}",
    ),
    _NO_SUCH_HOST,
    Cause(
        "connections on that socket",
        "there is no Postgres behind the socket of the address",
        f"Start Postgres, or correct the socket's folder in {URL}",
        passes_in_seconds=0,
    ),
    Cause(
        "Connection refused",
        "nothing takes connections at the database's host and port",
        f"Start Postgres, or correct host and port in {URL}",
        passes_in_seconds=0,
    ),
    Cause(
        "timeout expired",
        "the database's host does not answer",
        f"Correct the host in {URL}, or open the way to it (firewall, VPN, allowed addresses)",
        passes_in_seconds=WAKING_SECONDS,
    ),
    Cause(
        "No route to host|is unreachable",
        "there is no way from this machine to the database's host",
        f"Correct the host in {URL}, or open the way to it (network, firewall, VPN)",
        passes_in_seconds=0,
    ),
    Cause(
        "closed the connection unexpectedly|Connection reset",
        "something takes connections at the database's address, and closes them before Postgres answers",
        "Check that Postgres runs behind the proxy or load balancer",
        passes_in_seconds=WAKING_SECONDS,
    ),
)
# Codes that say enough by themselves when the words are in another language. 28P01 has two causes; the later one
# stands: the server refused the password that it was given.
_BY_CODE = {cause.sqlstate: cause for cause in _CAUSES if cause.sqlstate in ("57P03", "28P01", "3D000", "53300")}

_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")


def find_cause(error: psycopg.Error | UnicodeError, *, is_logged_in: bool = False) -> Cause:
    """Why the connect failed: by the words, and if none fit, by the code that came with them.

    After the login only the server's words count: a line that is lost by then says nothing about the address.
    """
    # The idna codec raises it for a name that DNS cannot hold. Not every version of Python names the codec.
    if isinstance(error, UnicodeError) and getattr(error, "encoding", None) in (None, "idna"):
        return _NO_SUCH_HOST
    # Names are blanked first: one may be called "starting up".
    text = _QUOTED.sub('""', str(error))
    for cause in _CAUSES:
        if (cause.sqlstate or not is_logged_in) and re.search(cause.words, text, re.IGNORECASE | re.DOTALL):
            return cause
    state = getattr(error, "sqlstate", None) or ""
    said = f"Postgres said SQLSTATE {state}" if state else "the connect failed for an unknown reason"
    unknown = Cause("", said, f"Check {URL} and that Postgres runs", state, passes_in_seconds=None if state else 0)
    return _BY_CODE.get(state, unknown)


def connect_failure(doing: str, cause: Cause, waited_seconds: float) -> GoalsStoreError:
    """The error for this cause: what was attempted, why it failed, and what to do."""
    code = f" (SQLSTATE {cause.sqlstate})" if cause.sqlstate and cause.sqlstate not in cause.said else ""
    waited = f", after {waited_seconds:.0f} seconds of waiting" if waited_seconds >= 1 else ""
    failure = GoalsStoreError(f"{doing}: {cause.said}{code}{waited}", cause.sqlstate, action=cause.action)
    failure.retryable = cause.passes_in_seconds is not None
    return failure
