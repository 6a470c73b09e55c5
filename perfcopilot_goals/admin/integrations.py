"""The integrations tab: a card for each connection, with its state, its settings and what can be done with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from starlette.responses import Response

from perfcopilot_goals import services
from perfcopilot_goals.admin.forms import Form
from perfcopilot_goals.admin.logs import describe
from perfcopilot_goals.admin.site import Ask, Site, go_to, status_of
from perfcopilot_goals.domain.actions import advise
from perfcopilot_goals.domain.connection import SUBGOAL_ROUTES, Connection
from perfcopilot_goals.errors import GoalsConfigError, GoalsError, GoalsStoreError
from perfcopilot_goals.services.connections import ConnectionCheck
from perfcopilot_goals.services.sync_access import PAGE_GRACE_SECONDS, refuse_to_wait

# Stands for the form for a new connection; no connection is called that.
NEW = ""


@dataclass(frozen=True)
class _Refused:
    """A form that was refused: whose, what was given, what is wrong with which field, and what is wrong in all."""

    connection: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    message: str = ""


def show(
    site: Site, ask: Ask, refused: _Refused | None = None, status: int = 422, *, tested: ConnectionCheck | None = None
) -> Response:
    """The cards, and the form for a new connection.

    A form that was refused, with that status, is shown as it was given, but without its token, which is never shown
    again.
    """
    if refused and ask.form.get("token").strip():
        lost = {"token": "The token was not kept, since the form was refused. Enter it again."}
        refused = replace(refused, problems=lost | dict(refused.problems))
    return site.render(
        "integrations.html",
        ask,
        status if refused else 200,
        cards=[_card(site, row) for row in services.connections.list_connections(site.database)],
        refused=refused or _Refused(),
        none_refused=_Refused(),
        tested=tested,
        about=ask.get("connection"),
        defaults=services.connections.DEFAULTS,
        routes=SUBGOAL_ROUTES,
        may_type_tokens=site.settings.admin_tokens,
    )


def add(site: Site, ask: Ask) -> Response:
    """Adds a connection."""
    name = ask.form.get("connection").strip()
    given, problems = _parse(site, ask.form, name)
    problems |= _texts(services.connections.find_setting_problems(site.settings, name, {"connection": name}))
    if problems:
        return show(site, ask, _Refused(NEW, given | {"connection": name}, problems))
    with site.dagster.open_partitions() as set_partition:
        try:
            _write(services.connections.create_connection, site, ask, name, given)
        except GoalsError as error:
            refused = _Refused(NEW, given | {"connection": name}, {"connection": error.text})
            return show(site, ask, refused, status_of(error))
        set_partition(name, exists=True)
    return go_to("integrations", done="added", connection=name)


def change(site: Site, ask: Ask) -> Response:
    """Changes a connection's settings."""
    name = ask.form.get("connection")
    before = _find(site, name)
    given, problems = _parse(site, ask.form, name)
    if problems:
        return show(site, ask, _Refused(name, given, problems))
    with site.dagster.open_partitions() as set_partition:
        try:
            after = _write(services.connections.change_connection, site, ask, name, given)
        except GoalsStoreError as error:
            return show(site, ask, _Refused(name, given, message=error.text), status_of(error))
        if after != before:
            # They may be of another workspace.
            site.listed.pop(name, None)
            set_partition(name, exists=after.enabled)
    return go_to("integrations", done="changed", connection=name)


def test(site: Site, ask: Ask) -> Response:
    """Asks Asana whose token it is and which workspaces it sees; shows the answer in the connection's card."""
    name = ask.form.get("connection")
    _find(site, name)
    try:
        found = services.connections.check_connection(
            site.database, site.settings, name, grace_seconds=PAGE_GRACE_SECONDS, on_wait=refuse_to_wait
        )
    except GoalsError as error:
        return show(site, ask, _Refused(name, message=error.text), status_of(error))
    return show(site, ask, tested=found)


def remove(site: Site, ask: Ask) -> Response:
    """Removes a connection whose name was typed."""
    name = ask.form.get("connection")
    _find(site, name)
    if ask.form.get("typed").strip() != name:
        problem = {"typed": f"Type {name} to remove it. Nothing was removed."}
        return show(site, ask, _Refused(name, {"typed": ask.form.get("typed")}, problem))
    with site.dagster.open_partitions() as set_partition:
        services.connections.delete_connection(site.database, site.settings, name, actor=ask.visitor.actor)
        site.listed.pop(name, None)
        set_partition(name, exists=False)
    return go_to("integrations", done="removed")


def sync(site: Site, ask: Ask) -> Response:
    """Starts a sync in the background."""
    name = ask.form.get("connection")
    if not _find(site, name).enabled:
        return show(site, ask, _Refused(name, message="It is disabled. Enable it, then sync."))
    if services.status.find_running(site.database, name):
        return show(site, ask, _Refused(name, message="A sync of it is running already."))
    record = partial(services.audit.record_sync, site.database, name, ask.visitor.actor)
    is_started = site.dagster.start_sync(name, record)
    return go_to("integrations", done="sync_started" if is_started else "sync_running", connection=name)


def _find(site: Site, name: str) -> Connection:
    return services.connections.find_connection(site.database, name)


def _parse(site: Site, form: Form, name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings that the form names, and what is wrong with them, by field."""
    given: dict[str, Any] = {}
    for setting in ("workspace_gid", "base_url", "subgoal_route", "token_ref"):
        if form.has(setting):
            given[setting] = form.get(setting).strip()
    if form.has("requests_per_minute"):
        figure = form.get("requests_per_minute").strip()
        given["requests_per_minute"] = int(figure) if figure.isascii() and figure.isdecimal() else figure
    # A box that is not checked is not sent; this field says that the form had the boxes.
    if form.has("has_switches"):
        given |= {"enabled": form.has("enabled"), "check_users": form.has("check_users")}
    if given.get("workspace_gid") == "":
        given["workspace_gid"] = None
    problems = _texts(services.connections.find_setting_problems(site.settings, name, given))
    if token := form.get("token").strip():
        try:
            services.tokens.check_token(token)
        except GoalsConfigError as error:
            problems["token"] = error.text
    return given, problems


def _write(write: Callable[..., Connection], site: Site, ask: Ask, name: str, given: dict[str, Any]) -> Connection:
    """The connection as it is written, with the token that was typed in. Its file goes again if that fails."""
    token = ask.form.get("token").strip() if site.settings.admin_tokens else ""
    if token:
        given = given | {"token_ref": services.tokens.store_token(site.settings, name, token)}
    try:
        return write(site.database, site.settings, name, given, actor=ask.visitor.actor)
    except GoalsError:
        if token:
            services.tokens.drop_token(site.settings, given["token_ref"])
        raise


def _texts(problems: Mapping[str, GoalsConfigError]) -> dict[str, str]:
    return {setting: error.text for setting, error in problems.items()}


def _card(site: Site, row: Connection) -> dict[str, Any]:
    (status,) = services.status.describe_connections(site.database, row.connection)
    running = services.status.find_running(site.database, row.connection)
    return {
        "row": row,
        "status": status,
        "plan": services.status.plan_sync(site.database, row.connection),
        "running": describe(running) if running else None,
        "advice": advise(status.failed_with) if status.failed_with else "",
    }
