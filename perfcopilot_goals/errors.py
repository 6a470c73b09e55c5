"""Every way a sync can end badly, as one tree.

    GoalsError                    exit  can a retry help?
    ├── GoalsConfigError            2   no: a setting is missing or wrong.
    ├── AsanaAccessError            3   no: Asana refused the token, the plan or the workspace.
    ├── AsanaContractError          4   no: Asana's response is not the agreed shape.
    ├── GoalsSchemaError            5   no: rows broke their schema.
    ├── GoalsGuardError             6   no: a guard refused to replace good rows.
    ├── GoalsStoreError             7   by kind: the SQLSTATE of Postgres decides.
    └── AsanaUnavailableError      75   yes, by the next run.

Exit code 8 is no error: `verify` ends with it if a block is not what was stored.

Add a class only if a failure needs another exit code, or another answer to "can a retry help?". Otherwise it is a
message of one of these. `message` says what was attempted and what came back, `connection` for which connection, and
`action` what to do. They are put together only here, and nothing takes a message apart again. They never hold a token,
a database URL, a response's body, a goal's text or a person's name. Raise these `from None` if the cause could carry
such data.
"""

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar, Self

CONNECTION = "{connection}"


class GoalsError(Exception):
    """The root. `str()` gives the class's name, the connection, what happened, and what to do.

    A caller that knows more than the raising code may add `connection` and `action`: see `about`. In both texts
    `{connection}` stands for the connection's name. `status` is the HTTP status that caused the error, if one did.
    """

    exit_code: ClassVar[int] = 1
    default_action: ClassVar[str | None] = None
    retryable: bool = False
    details: Sequence[str] = ()
    status: int | None = None

    def __init__(self, message: str, *, connection: str | None = None, action: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.connection = connection
        self.action = action or self.default_action

    def about(self, connection: str) -> Self:
        """The same error, now about this connection unless it already names one."""
        self.connection = self.connection or connection
        return self

    def listing(self, details: Iterable[str]) -> Self:
        """The same error with details, each on a line of its own, such as the bad lines of a file."""
        self.details = tuple(details)
        return self

    def answered(self, status: int | None) -> Self:
        """The same error, caused by a response with this HTTP status."""
        self.status = status
        return self

    @property
    def text(self) -> str:
        """What happened and what to do, without the class's name."""
        return "\n".join(self._lines())

    @property
    def remedy(self) -> str | None:
        """What to do alone, about the connection; None if the error does not say."""
        return self.action and self.action.replace(CONNECTION, self.connection or "NAME")

    @property
    def lines(self) -> list[str]:
        """The lines of `str()`. A line break within one is not ours: the error may name an id that holds one."""
        first, *others = self._lines()
        return [f"{type(self).__name__}: {first}", *others]

    def __str__(self) -> str:
        return f"{type(self).__name__}: {self.text}"

    def _lines(self) -> list[str]:
        lines = [self.message]
        if self.details:
            lines = [f"{self.message}; {self.details[0]}", *self.details[1:]]
        lines[:-1] = [f"{line};" for line in lines[:-1]]
        if self.action:
            lines[-1] += f". {self.action}"
        lines = [line.replace(CONNECTION, self.connection or "NAME") for line in lines]
        named = re.compile(rf"connection {re.escape(self.connection or '')}(?![\w-])")
        if self.connection is not None and not any(map(named.search, lines)):
            lines[0] = f"connection {self.connection}: {lines[0]}"
        return lines


class GoalsConfigError(GoalsError):
    """A setting is missing or wrong, or the connection is gone. Usually found before any request is sent."""

    exit_code = 2


class AsanaAccessError(GoalsError):
    """401, 402, 403 or 451: Asana refused the token, the plan or the access to the workspace."""

    exit_code = 3


class AsanaContractError(GoalsError):
    """Asana's response is not the agreed shape: HTML, other JSON, an offset that repeats, a redirect."""

    exit_code = 4
    default_action = "Run it again; if the error stays, Asana's API has changed: upgrade perfcopilot-goals or report it"


class GoalsSchemaError(GoalsError):
    """pandera refused rows. The message has rule, column and count, never a value."""

    exit_code = 5


class GoalsGuardError(GoalsError):
    """A write was refused. It would lose goals, mix inputs that do not belong together, or undo a newer sync."""

    exit_code = 6


# The SQLSTATE of Postgres' refusal of a role that may not do something.
NO_RIGHT = "42501"


class GoalsStoreError(GoalsError):
    """Postgres refused or did not respond. `sqlstate` is its five-character code, or "" without a response."""

    exit_code = 7

    # Class 08 connection, 40 rollback, 53 resources, 55 not in state (lock timeout), 57 operator intervention.
    _PASSING: ClassVar[frozenset[str]] = frozenset({"", "08", "40", "53", "55", "57"})
    # Of those, what outlasts a few seconds: a full disk or server, and a statement that ran into its time limit.
    _LASTING: ClassVar[tuple[str, ...]] = ("53", "57014")

    def __init__(
        self, message: str, sqlstate: str = "", *, connection: str | None = None, action: str | None = None
    ) -> None:
        super().__init__(message, connection=connection, action=action)
        self.sqlstate = sqlstate
        self.retryable = sqlstate[:2] in self._PASSING

    @property
    def passes_within_seconds(self) -> bool:
        """Whether another try within seconds may succeed: after a lost connection, a deadlock, a lock, a restart."""
        return self.retryable and not self.sqlstate.startswith(self._LASTING)


class AsanaUnavailableError(GoalsError):
    """429, 5xx, timeouts or resets, once the request's attempts, the sync's retry budget or its deadline ran out."""

    exit_code = 75
    default_action = "Try again later"
    retryable = True


EXIT_CODES = {kind.__name__: kind.exit_code for kind in GoalsError.__subclasses__()}
