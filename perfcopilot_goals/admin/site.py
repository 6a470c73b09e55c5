"""What every tab needs: the services' dependencies, a request as the tabs see it, and how a page is rendered."""

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

import nh3
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from perfcopilot_goals import services
from perfcopilot_goals.admin.access import Visitor
from perfcopilot_goals.admin.forms import Form
from perfcopilot_goals.core.suggestions import AsanaUser, Suggestion
from perfcopilot_goals.errors import GoalsError
from perfcopilot_goals.services.databases import Database
from perfcopilot_goals.settings import Settings

# Tab: its name, and whether it is for administrators only.
TABS = {
    "integrations": ("Integrations", True),
    "employees": ("Employees", True),
    "goals": ("Goals", False),
    "syncs": ("Syncs", True),
    "audit": ("Audit log", True),
}
PAGE_ROWS = 50
# How long the users of a workspace are kept, in memory only: asking Asana takes a request per hundred users.
USERS_SECONDS = 1_800
_TEXT_ONLY = nh3.Cleaner(tags={"br", "li", "ol", "p", "ul"}, attributes={}, link_rel=None)


class Dagster(Protocol):
    """What the page needs of Dagster, done by whoever builds the app."""

    def start_sync(self, connection: str, record: Callable[[], None]) -> bool:
        """Starts a sync in the background, recorded before; False if one that was started here is still running."""

    def open_partitions(self) -> AbstractContextManager[Callable[..., None]]:
        """A function that makes a connection one of Dagster's partitions, or with `exists=False` takes it from them.

        Opened before the change of the connection: if that fails, nothing is changed.
        """


@dataclass(frozen=True)
class Ask:
    """A request as a tab sees it: who asks, the query of the address, and the form if one was sent."""

    visitor: Visitor
    query: Mapping[str, str] = field(default_factory=dict)
    form: Form = field(default_factory=Form)

    def get(self, name: str) -> str:
        """The value from the query, or else from the form."""
        return self.query.get(name, "") or self.form.get(name)

    def page(self, read: Callable[[int, int], tuple[Sequence[Any], int]], name: str = "page") -> "ListPage":
        """The page whose number is in the value of that name, or the last one if there are not so many.

        `read` gets limit and offset, as the services do.
        """
        given = self.get(name)
        number = max(1, int(given)) if given.isascii() and given.isdecimal() and len(given) < 7 else 1
        page = ListPage(*read(PAGE_ROWS, (number - 1) * PAGE_ROWS), number)
        if number <= page.count:
            return page
        return ListPage(*read(PAGE_ROWS, (page.count - 1) * PAGE_ROWS), page.count)


@dataclass(frozen=True)
class ListPage:
    """A page of a list: its rows, how many rows all pages have, and its number, from 1."""

    rows: Sequence[Any]
    total: int
    number: int

    @property
    def count(self) -> int:
        """How many pages there are; at least one."""
        return max(1, -(-self.total // PAGE_ROWS))


@dataclass
class Listed:
    """A workspace's users, and a suggestion for each employee who was unmapped when they were compared."""

    users: list[AsanaUser]
    suggestions: list[Suggestion]
    until: float = field(default_factory=lambda: time.monotonic() + USERS_SECONDS)


class Site:
    """The dependencies of the tabs, and the Asana users of each connection as they were listed last."""

    def __init__(self, database: Database, settings: Settings, dagster: Dagster) -> None:
        self.database = database
        self.settings = settings
        self.dagster = dagster
        self.listed: dict[str, Listed] = {}
        self._templates = Environment(
            loader=PackageLoader("perfcopilot_goals.admin"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"moment": _moment, "age": _age, "markup": _markup, "count": _count}
        self._templates.globals |= {"address": address, "ui_url": settings.ui_url}

    def connection_names(self) -> list[str]:
        """The names of all connections."""
        return [row.connection for row in services.connections.list_connections(self.database)]

    def find_listed(self, connection: str) -> Listed | None:
        """The connection's users; None if they were not listed, or too long ago."""
        listed = self.listed.get(connection)
        return listed if listed and listed.until > time.monotonic() else None

    def render(self, template: str, ask: Ask | None, status: int = 200, **values: Any) -> Response:
        """The page. `ask` is None where it is not known who asks."""
        tabs = {
            tab: title for tab, (title, is_private) in TABS.items() if ask and (ask.visitor.is_admin or not is_private)
        }
        text = self._templates.get_template(template).render(
            visitor=ask.visitor if ask else None, tabs=tabs, done=ask.query.get("done", "") if ask else "", **values
        )
        return HTMLResponse(text, status)


def address(tab: str, **query: Any) -> str:
    """The address of a tab. Empty values are left out."""
    return "/admin?" + urlencode(
        {"tab": tab} | {name: value for name, value in query.items() if value not in ("", None)}
    )


def go_to(tab: str, **query: Any) -> Response:
    """Sends the browser to a tab after a change, so that a reload does not repeat it."""
    return RedirectResponse(address(tab, **query), 303)


def status_of(error: GoalsError) -> int:
    """The HTTP status of a page that shows this error: 503 if the database or Asana is not there, else 422."""
    return 503 if error.exit_code in (7, 75) else 422


def _moment(moment: dt.datetime | None) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC" if moment else "never"


def _age(seconds: float | None) -> str:
    """An age in the two largest of days, hours and minutes."""
    if seconds is None:
        return ""
    minutes = int(seconds // 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _count(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _markup(notes: str | None) -> Markup:
    """Asana's markup as text: paragraphs, lists and line breaks stay, every other tag and every attribute goes."""
    return Markup(_TEXT_ONLY.clean(notes or ""))
