"""The page's web server, with the page in it, and what it calls out once it listens."""

from collections.abc import Callable
from socket import socket

import uvicorn
from starlette.applications import Starlette

from perfcopilot_goals.admin.access import Access
from perfcopilot_goals.admin.app import build_app
from perfcopilot_goals.admin.site import Dagster
from perfcopilot_goals.services.databases import Database
from perfcopilot_goals.settings import Settings


class Server(uvicorn.Server):
    """Serves the app. `on_start` is called when it listens; what it does not do is log requests.

    Their addresses hold one-time keys and ids of employees.
    """

    def __init__(self, app: Starlette, host: str, port: int, on_start: Callable[[], None] = lambda: None) -> None:
        quiet = {"log_level": "warning", "access_log": False, "server_header": False, "proxy_headers": False}
        super().__init__(uvicorn.Config(app, host=host, port=port, lifespan="off", **quiet))  # type: ignore[arg-type]
        self._on_start = on_start

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_start()


def build_server(
    database: Database, settings: Settings, dagster: Dagster, host: str, port: int, say: Callable[[str], None]
) -> Server:
    """The page on that port. `say` gets a line with its address once it listens, and with each one-time link."""
    root = settings.admin_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"
    access = Access(
        database,
        settings,
        on_key=lambda key: say(f"Admin page, for one browser and once: {root}/admin/enter?key={key}"),
    )

    def show_address() -> None:
        if access.is_behind_proxy:
            say(f"Admin page, for the login proxy: {root}/admin")
        else:
            access.sessions.renew_key()

    return Server(build_app(database, settings, dagster, access), host, port, show_address)
