"""The employees tab: who is unmapped and who they may be in Asana, and who is mapped to whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from starlette.responses import Response

from perfcopilot_goals import services
from perfcopilot_goals.admin.site import Ask, Site, go_to, status_of
from perfcopilot_goals.errors import GoalsError
from perfcopilot_goals.services.roster import Page, RosterRow
from perfcopilot_goals.services.sync_access import PAGE_LIST_SECONDS, refuse_to_wait

# Users in the browser's own list of choices. More would make the page slow; the search finds the others.
_USERS_LISTED = 500
_USERS_FOUND = 20


@dataclass(frozen=True)
class _Refused:
    """A form that was refused: what was typed for whom, what is wrong with it, and what is wrong in all."""

    typed: Mapping[str, str] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()
    problems: Mapping[str, str] = field(default_factory=dict)
    message: str = ""


def show(site: Site, ask: Ask) -> Response:
    """The unmapped employees first, then the mapped ones."""
    return render(site, ask)


def suggest(site: Site, ask: Ask) -> Response:
    """Asks Asana for the workspace's users, and suggests one for each unmapped employee."""
    name = ask.form.get("connection")
    try:
        found = services.mapping.suggest_mapping(
            site.database,
            site.settings,
            name,
            apply=False,
            grace_seconds=PAGE_LIST_SECONDS,
            on_wait=refuse_to_wait,
        )
    except GoalsError as error:
        return render(site, ask, _Refused(message=error.text), status_of(error))
    site.known_users.keep(name, found.users, found.suggestions)
    return go_to("employees", connection=name, done="suggested", q=ask.form.get("q"))


def save(site: Site, ask: Ask) -> Response:
    """Maps the employees for whom something was typed or a suggestion was taken: all of them, or none."""
    name, form = ask.form.get("connection"), ask.form
    listed = site.known_users.find(name)
    typed = dict(zip(form.all("employee"), (user.strip() for user in form.all("user")), strict=False))
    suggested = dict(zip(form.all("employee"), form.all("suggested"), strict=False))
    taken = frozenset(form.all("take"))
    wanted = {who: user or suggested.get(who, "") for who, user in typed.items() if user or who in taken}
    gid_of, problems = services.mapping.find_gids(wanted, listed.users if listed else [])
    problems |= services.mapping.save_mappings(
        site.database, name, gid_of, actor=ask.visitor.actor, dry_run=bool(problems)
    )
    if problems or not wanted:
        message = "Nothing was saved." if problems else "Nothing was chosen, so nothing was saved."
        return render(site, ask, _Refused(typed, taken, problems, message), 422)
    match_again(site, name)
    return go_to("employees", connection=name, done="mapped", count=len(gid_of), q=form.get("q"))


def unmap(site: Site, ask: Ask) -> Response:
    """Unlinks an employee from their Asana user."""
    name, employee_id = ask.form.get("connection"), ask.form.get("employee")
    try:
        services.mapping.set_mapping(site.database, name, employee_id, None, actor=ask.visitor.actor)
    except GoalsError as error:
        return render(site, ask, _Refused(message=error.text), status_of(error))
    match_again(site, name)
    return go_to("employees", connection=name, done="unmapped", q=ask.form.get("q"), mapped=ask.form.get("mapped"))


def match_again(site: Site, name: str) -> None:
    """Brings the suggestions up to date with the roster."""
    if listed := site.known_users.find(name):
        site.known_users.update(name, services.mapping.match_again(site.database, name, listed.users))


def render(site: Site, ask: Ask, refused: _Refused | None = None, status: int = 200, **more: Any) -> Response:
    """The tab; `more` goes to the template."""
    names = [row.connection for row in services.connections.list_connections(site.database)]
    name = ask.get("connection") or (names[0] if names else "")
    if not name:
        return site.render("employees.html", ask, status, connection="", names=names)
    search = ask.get("q")

    def read(limit: int, offset: int, *, is_mapped: bool) -> tuple[list[RosterRow], int]:
        wanted = Page(limit, offset, search)
        return services.roster.list_roster(site.database, name, wanted, is_mapped=is_mapped)

    unmapped = ask.page(partial(read, is_mapped=False))
    waiting = services.roster.list_waiting(site.database, name)
    listed = site.known_users.find(name)
    users = listed.users if listed else []
    sought = ask.query.get("user", "")
    refused = refused or _Refused()
    shown = {row.employee_id for row in unmapped.rows}
    values = {
        "elsewhere": {who: why for who, why in refused.problems.items() if who not in shown},
        "names": names,
        "connection": name,
        "search": search,
        "unmapped": unmapped,
        "mapped": ask.page(partial(read, is_mapped=True), "mapped"),
        "waiting": waiting,
        "goals_of": {owner.asana_user_gid: owner.goals for owner in waiting.owners},
        "conflicts": services.roster.list_conflicts(site.database, name),
        "listed": listed,
        "choices": users if len(users) <= _USERS_LISTED else [],
        "sought": sought,
        "found_users": services.mapping.find_users(users, sought)[:_USERS_FOUND],
        "refused": refused,
        "count": ask.query.get("count", ""),
        "preview": None,
        "upload_problem": "",
        "replaces": False,
    }
    return site.render("employees.html", ask, status, **(values | more))
