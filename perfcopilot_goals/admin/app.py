"""The app and its server: which address leads to which tab, who may open it, and what becomes of an error."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from socket import socket

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from perfcopilot_goals.admin import employees, goals, integrations, logs
from perfcopilot_goals.admin.access import SESSION_SECONDS, Access, Denied, cookie_of
from perfcopilot_goals.admin.forms import Form, read_form
from perfcopilot_goals.admin.guard import Guard
from perfcopilot_goals.admin.site import TABS, Ask, Dagster, Site, status_of
from perfcopilot_goals.core.responses import storable
from perfcopilot_goals.errors import GoalsError
from perfcopilot_goals.services.databases import Database
from perfcopilot_goals.settings import Settings

_log = logging.getLogger(__name__)
_STYLE = Path(__file__).with_name("static") / "style.css"

Show = Callable[[Site, Ask], Response]

_SHOWN: dict[str, Show] = {
    "integrations": integrations.show,
    "employees": employees.show,
    "goals": goals.show,
    "syncs": logs.show_syncs,
    "audit": logs.show_audit,
}
# What administrators do, by address.
_DONE: dict[str, Show] = {
    "/admin/connections/add": integrations.add,
    "/admin/connections/change": integrations.change,
    "/admin/connections/test": integrations.test,
    "/admin/connections/remove": integrations.remove,
    "/admin/sync": integrations.sync,
    "/admin/employees/suggest": employees.suggest,
    "/admin/employees/map": employees.save,
    "/admin/employees/unmap": employees.unmap,
    "/admin/employees/preview": employees.preview,
    "/admin/employees/import": employees.apply,
}


def build_app(database: Database, settings: Settings, dagster: Dagster, access: Access) -> Starlette:
    """The admin page. `access` says who is asking, `dagster` does what needs Dagster."""
    doors = _Doors(Site(database, settings, dagster), access)
    routes = [
        Route("/", lambda _: RedirectResponse("/admin", 303)),
        Route("/admin", partial(doors.answer, do=_show_tab)),
        Route("/admin/enter", doors.enter),
        Route("/admin/style.css", lambda _: FileResponse(_STYLE)),
        Route("/admin/employees.csv", partial(doors.answer, do=employees.download, admins_only=True)),
        *(Route(path, partial(doors.answer, do=do, admins_only=True), methods=["POST"]) for path, do in _DONE.items()),
    ]
    guard = Middleware(Guard, url=settings.admin_url, is_behind_proxy=access.is_behind_proxy)
    handlers = {HTTPException: doors.tell_status}
    return Starlette(routes=routes, middleware=[guard], exception_handlers=handlers)  # type: ignore[arg-type]


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


class _Doors:
    """The ways in. Each finds out who asks before anything else, and shows an error as a page."""

    def __init__(self, site: Site, access: Access) -> None:
        self._site = site
        self._access = access

    async def enter(self, request: Request) -> Response:
        """Exchanges the one-time key for a session."""
        if self._access.is_behind_proxy:
            raise HTTPException(404)
        session = self._access.sessions.enter(request.query_params.get("key", ""))
        # A page and no redirect: a browser that comes from elsewhere would not send the new cookie along with that.
        response = self._site.render("enter.html", None)
        response.set_cookie(
            cookie_of(request), session, max_age=SESSION_SECONDS, path="/admin", httponly=True, samesite="strict"
        )
        return response

    async def tell_status(self, request: Request, error: HTTPException) -> Response:
        """The page for a status that the framework found or the page raised, such as 404."""
        texts = {404: "There is no such page.", 405: "This address only takes forms. Open the page again."}
        status = error.status_code
        return self._site.render("message.html", None, status, code=status, text=texts.get(status, error.detail))

    async def answer(self, request: Request, do: Show, *, admins_only: bool = False) -> Response:
        """What `do` shows, if the visitor may see it."""
        try:
            # Who asks comes first: a stranger's form is not even read.
            visitor = await run_in_threadpool(self._access.find_visitor, request)
            if admins_only and not visitor.is_admin:
                raise Denied("This is for administrators.")
            form = await read_form(request, visitor) if request.method == "POST" else Form()
            return await run_in_threadpool(do, self._site, Ask(visitor, _query(request), form))
        except GoalsError as error:
            raise HTTPException(status_of(error), error.text) from None
        except HTTPException:
            raise
        except Exception as error:
            # Its text may quote data, so only its class is logged.
            _log.error("%s at %s: an error of the program itself", type(error).__name__, request.url.path)
            told = "The program itself failed. Nothing else is known here; the log names the error."
            raise HTTPException(500, told) from None


def _query(request: Request) -> dict[str, str]:
    return {name: storable(value) for name, value in request.query_params.items()}


def _show_tab(site: Site, ask: Ask) -> Response:
    """The tab that is asked for, or the visitor's first."""
    tab = ask.query.get("tab") or ("integrations" if ask.visitor.is_admin else "goals")
    if tab not in TABS:
        raise HTTPException(404)
    if TABS[tab][1] and not ask.visitor.is_admin:
        raise Denied("This tab is for administrators.")
    return _SHOWN[tab](site, ask)
