"""The admin page on a real socket, and a browser's half of it: cookies, forms and nothing else."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from perfcopilot_goals.admin.access import Access
from perfcopilot_goals.admin.app import Server, build_app
from perfcopilot_goals.errors import GoalsStoreError
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals_tests.admin.reading import Document, Form

SECRET = "shared-with-the-proxy-4c1d"


class Clock:
    """Time that tests move."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Dagster:
    """What the page asked of Dagster."""

    started: list[str] = field(default_factory=list)
    partitions: set[str] = field(default_factory=set)
    is_busy: bool = False
    is_away: bool = False

    def start_sync(self, connection: str, record: Callable[[], None]) -> bool:
        if not self.is_busy:
            record()
            self.started.append(connection)
        return not self.is_busy

    @contextmanager
    def open_partitions(self) -> Iterator[Callable[..., None]]:
        if self.is_away:
            raise GoalsStoreError("using Dagster's storage: Postgres did not respond")

        def set_partition(connection: str, *, exists: bool) -> None:
            (self.partitions.add if exists else self.partitions.discard)(connection)

        yield set_partition


@dataclass
class Page:
    """A page that is served, with what it knows."""

    root: str
    keys: list[str]
    clock: Clock
    dagster: Dagster
    settings: Settings
    database: Database

    def browser(self, **headers: str) -> "Browser":
        """A browser that has nothing yet."""
        return Browser(self.root, headers)

    def administrator(self) -> "Browser":
        """A browser that opened the one-time link."""
        browser = self.browser()
        assert browser.get(f"/admin/enter?key={self.keys[-1]}").status_code == 200
        return browser

    def user(self, email: str) -> "Browser":
        """A browser behind the login proxy."""
        return self.browser(**{"X-Forwarded-Email": email, "X-Perfcopilot-Proxy": SECRET})


class Browser:
    """One person's browser. It does not follow redirects by itself."""

    def __init__(self, root: str, headers: Mapping[str, str]) -> None:
        self.root = root
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update(headers)

    def get(self, address: str, **headers: str) -> requests.Response:
        return self.session.get(f"{self.root}{address}", headers=headers, allow_redirects=False, timeout=60)

    def open(self, address: str) -> Document:
        """The page at the address, which has to be there."""
        response = self.get(address)
        assert response.status_code == 200, response.text
        return Document(response.text)

    def send(
        self,
        form: Form,
        changes: Mapping[str, str | list[str]] | None = None,
        file: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The form with these fields changed, as the page would send it."""
        changed = changes or {}
        fields = [(name, value) for name, value in form.fields if name not in changed]
        for name, values in changed.items():
            fields += [(name, value) for value in ([values] if isinstance(values, str) else values)]
        files = {} if file is None else {"file": ("roster.csv", file, "text/csv")}
        given = [(name, value) for name, value in fields if not (files and name == "file")]
        given_files = [(name, (None, value)) for name, value in given] + list(files.items()) if files else None
        return self.session.post(
            f"{self.root}{form.action}",
            data=None if files else given,
            files=given_files,
            headers={"Origin": self.root} | dict(headers or {}),
            allow_redirects=False,
            timeout=120,
        )

    def done(self, response: requests.Response) -> Document:
        """The page that the browser is sent to after a change."""
        assert response.status_code == 303, response.text
        return self.open(response.headers["Location"])


def seconds_of(ask: Callable[[], object]) -> float:
    """The CPU time that it takes, of the page and of its reader: the machine may have other things to do."""
    began = time.process_time()
    ask()
    return time.process_time() - began


@contextmanager
def served(database: Database, settings: Settings) -> Iterator[Page]:
    """The page on a free port, until the block ends."""
    keys: list[str] = []
    clock, dagster = Clock(), Dagster()
    access = Access(database, settings, now=clock, on_key=keys.append)
    access.sessions.renew_key()
    app = build_app(database, settings, dagster, access)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = Server(app, "127.0.0.1", port)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Page(f"http://127.0.0.1:{port}", keys, clock, dagster, settings, database)
        finally:
            server.should_exit = True
            thread.join()
