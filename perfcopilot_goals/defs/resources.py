"""What assets, checks and sensors need from outside: the database, and Asana as one run uses it."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, TypeVar

import dagster as dg
import sqlalchemy as sa
from pydantic import PrivateAttr

from perfcopilot_goals.asana.client import AsanaClient, RequestStats
from perfcopilot_goals.asana.pacing import Clock
from perfcopilot_goals.defs.failures import Record
from perfcopilot_goals.defs.progress import Progress, Report
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.errors import GoalsError
from perfcopilot_goals.services.databases import open_migrated_database
from perfcopilot_goals.services.mapping import check_mapping
from perfcopilot_goals.services.sync_access import open_client
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.connections import has_connection, read_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.sync_log import begin_sync, fail_sync

Read = TypeVar("Read")
Given = ParamSpec("Given")


class StoreResource(dg.ConfigurableResource[Any]):
    """The database with the goals, opened and migrated when it is first needed."""

    settings: dg.ResourceDependency[Settings]

    _database: Database | None = PrivateAttr(default=None)

    @property
    def database(self) -> Database:
        if self._database is None:
            self._database = open_migrated_database(self.settings)
        return self._database

    def read(
        self,
        doing: str,
        read: Callable[Concatenate[sa.Connection, Given], Read],
        *given: Given.args,
        **more: Given.kwargs,
    ) -> Read:
        """What `read` reads on a connection; `doing` says in an error what was attempted."""
        with self.database.connect(doing) as conn:
            return read(conn, *given, **more)

    def read_or_skip(self, doing: str, read: Callable[[sa.Connection], Read]) -> Read | dg.SkipReason:
        """What a sensor needs, or why it skips: a failed read is no reason to change anything."""
        try:
            return self.read(doing, read)
        except GoalsError as error:
            return dg.SkipReason(str(error))

    def failure_recorder(self, connection: str, run_id: str, spent: Callable[[], Mapping[str, Any]]) -> Record:
        """Returns a callback that records a failed sync: its error, and from `spent` the requests it sent."""

        def record(error_code: str, remedy: str | None) -> None:
            notes = spent()
            with self.database.connect("recording a failed sync") as conn:
                if has_connection(conn, connection):
                    stats = {name: notes.get(name, 0) for name in ("requests", "throttled")}
                    fail_sync(conn, connection, run_id, error_code, remedy=remedy, **stats)

        return record


class AsanaResource(dg.ConfigurableResource[Any]):
    """Asana as one run uses it: one client, so that its steps share pace, budget and stats, and the token's lock."""

    store: StoreResource
    report: dg.ResourceDependency[Report]
    clock: dg.ResourceDependency[Clock]
    _client: AsanaClient | None = PrivateAttr(default=None)
    _connection: Connection | None = PrivateAttr(default=None)
    _open: ExitStack = PrivateAttr(default_factory=ExitStack)
    _reported: RequestStats = PrivateAttr(default_factory=RequestStats)

    def client_for(self, connection: Connection) -> AsanaClient:
        """The run's client, once it holds the token's lock.

        The wait for the token may be long. If the settings were changed meanwhile, the client has the new ones.
        Raises `GoalsConfigError`, before any request, if a setting is missing.
        """
        while self._client is None:
            database, settings = self.store.database, self.store.settings
            opened = open_client(database, connection, settings, clock=self.clock, on_wait=self._report_wait)
            client = self._open.enter_context(opened)
            now = self.store.read("reading the connection", read_connection, connection.connection)
            if now.has_access_of(connection):
                self._client, self._connection = client, now
            else:
                self._open.close()
                connection = now
        return self._client

    @property
    def connection(self) -> Connection | None:
        """The connection with the settings that the run fetches with; None before it has a client."""
        return self._connection

    def begin_sync(self, connection: Connection, run_id: str) -> Connection:
        """Enter the sync into the sync log; its `synced_at` is now, when the fetch begins.

        Returns the connection with the settings that the run fetches with.
        """
        with self.store.database.connect("entering the sync") as conn:
            begin_sync(conn, connection.connection, run_id)
        return self._connection or connection

    def check_users(self, connection: Connection) -> dict[str, Any]:
        """Compares the mapping with Asana's users, once a day; returns notes, and never fails the sync."""
        seen = check_mapping(self.store.database, self.client_for(connection), connection)
        if seen is None:
            return {}
        if isinstance(seen, GoalsError):
            kind, status = type(seen).__name__, {} if seen.status is None else {"users_status": seen.status}
            why = f"{kind}, status {seen.status}" if status else str(seen)
            dg.get_dagster_logger().warning(
                f"{connection.connection}: the mapping was not compared with Asana's users ({why}); the sync goes on."
            )
            return {"users_error": kind, **status}
        return {"users": seen.users, "mapping_conflicts": len(seen.conflicts), "asana_users_gone": len(seen.gone)}

    def reporter(self, connection: Connection, what: str, total: int | None = None) -> Callable[[int], None]:
        """Progress callback for a fetch: takes how many it has done."""
        name, report = connection.connection, self.report

        def on_done(done: int) -> None:
            stats = self._client.stats if self._client else RequestStats()
            report(Progress(name, what, done, total, stats.requests, stats.throttled))

        return on_done

    def notes(self) -> dict[str, Any]:
        """What the run's fetches cost since the last call, for the sync log and the catalog."""
        now = replace(self._client.stats) if self._client else RequestStats()
        before, self._reported = self._reported, now
        notes: dict[str, Any] = {
            "requests": now.requests - before.requests,
            "throttled": now.throttled - before.throttled,
            "pages": now.pages - before.pages,
            "waited_seconds": round(now.waited_seconds - before.waited_seconds, 3),
        }
        slowed_to = self._client.pacer.slowed_to if self._client else 1.0
        notes |= {"slowed_to_percent": round(100 * slowed_to)} if slowed_to < 1 else {}
        return notes | ({"asana_changes": dict(now.changes)} if now.changes else {})

    def failure_recorder(self, connection: str, run_id: str) -> Record:
        """Returns a callback that records the failure of a step, with the requests it has sent."""
        return self.store.failure_recorder(connection, run_id, self.notes)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        self._open.close()

    def _report_wait(self, line: str) -> None:
        dg.get_dagster_logger().info(line)
        self.report(line)
