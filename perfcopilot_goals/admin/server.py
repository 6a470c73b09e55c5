"""The page's web server, and what it calls out once it listens."""

from collections.abc import Callable
from socket import socket

import uvicorn
from starlette.applications import Starlette


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
