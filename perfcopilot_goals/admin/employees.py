"""The employees tab: who is unmapped and who they may be in Asana, who is mapped to whom, and the roster as a file.

A file is uploaded, shown as it would change the roster, and applied; and the roster is downloaded.
"""

import base64
import binascii
import hashlib
import json
from dataclasses import astuple
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from perfcopilot_goals import services
from perfcopilot_goals.admin.forms import Form
from perfcopilot_goals.admin.site import Ask, Listed, Site, go_to, status_of
from perfcopilot_goals.core.roster import decode_roster
from perfcopilot_goals.errors import GoalsConfigError, GoalsError
from perfcopilot_goals.services.roster import Page, RosterImport, RosterRow
from perfcopilot_goals.services.sync_access import PAGE_LIST_SECONDS, refuse_to_wait

# Users in the browser's own list of choices. More would make the page slow; the search finds the others.
_USERS_LISTED = 500
_USERS_FOUND = 20
# Some sixty thousand employees. The file comes back with the form that applies it, so it passes the page twice.
FILE_BYTES = 8 * 2**20


def show(site: Site, ask: Ask, status: int = 200, **more: Any) -> Response:
    """The unmapped employees first, then the mapped ones, with what was typed into a form that was refused.

    `more` goes to the template: `message`, and `problems` by employee, say what is wrong with that form.
    """
    names = site.connection_names()
    name = ask.get("connection") or (names[0] if names else "")
    if not name:
        return site.render("employees.html", ask, status, connection="", names=names)
    search = ask.get("q")

    def read(limit: int, offset: int, *, is_mapped: bool) -> tuple[list[RosterRow], int]:
        wanted = Page(limit, offset, search)
        return services.roster.list_roster(site.database, name, wanted, is_mapped=is_mapped)

    unmapped = ask.page(partial(read, is_mapped=False))
    waiting = services.roster.list_waiting(site.database, name)
    listed = site.find_listed(name)
    users = listed.users if listed else []
    sought = ask.query.get("user", "")
    problems = more.get("problems", {})
    shown = {row.employee_id for row in unmapped.rows}
    values = {
        "elsewhere": {who: why for who, why in problems.items() if who not in shown},
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
        "suggestions": {s.employee_id: s for s in listed.suggestions} if listed else {},
        "problems": problems,
        "typed": _typed(ask.form),
        "taken": ask.form.all("take"),
        "message": "",
        "count": ask.query.get("count", ""),
        "preview": None,
        "upload_problem": "",
        "replaces": ask.form.has("replaces"),
    }
    return site.render("employees.html", ask, status, **(values | more))


def suggest(site: Site, ask: Ask) -> Response:
    """Asks Asana for the workspace's users, and suggests one for each unmapped employee."""
    name = ask.form.get("connection")
    try:
        found = services.mapping.suggest_mapping(
            site.database, site.settings, name, apply=False, grace_seconds=PAGE_LIST_SECONDS, on_wait=refuse_to_wait
        )
    except GoalsError as error:
        return show(site, ask, status_of(error), message=error.text)
    site.listed[name] = Listed(found.users, found.suggestions)
    return go_to("employees", connection=name, done="suggested", q=ask.form.get("q"))


def save(site: Site, ask: Ask) -> Response:
    """Maps the employees for whom something was typed or a suggestion was taken: all of them, or none."""
    name, form = ask.form.get("connection"), ask.form
    listed = site.find_listed(name)
    suggested = dict(zip(form.all("employee"), form.all("suggested"), strict=False))
    taken = form.all("take")
    wanted = {who: user or suggested.get(who, "") for who, user in _typed(form).items() if user or who in taken}
    gid_of, problems = services.mapping.find_gids(wanted, listed.users if listed else [])
    problems |= services.mapping.save_mappings(
        site.database, name, gid_of, actor=ask.visitor.actor, dry_run=bool(problems)
    )
    if problems or not wanted:
        message = "Nothing was saved." if problems else "Nothing was chosen, so nothing was saved."
        return show(site, ask, 422, problems=problems, message=message)
    _match_again(site, name)
    return go_to("employees", connection=name, done="mapped", count=len(gid_of), q=form.get("q"))


def unmap(site: Site, ask: Ask) -> Response:
    """Unlinks an employee from their Asana user."""
    name, employee_id = ask.form.get("connection"), ask.form.get("employee")
    try:
        services.mapping.set_mapping(site.database, name, employee_id, None, actor=ask.visitor.actor)
    except GoalsError as error:
        return show(site, ask, status_of(error), message=error.text)
    _match_again(site, name)
    return go_to("employees", connection=name, done="unmapped", q=ask.form.get("q"), mapped=ask.form.get("mapped"))


def preview(site: Site, ask: Ask) -> Response:
    """What an import of the uploaded file would change; nothing is changed."""
    try:
        text = _decode(ask.form.file)
        planned = _import(site, ask, text, dry_run=True)
    except GoalsConfigError as error:
        return show(site, ask, 422, upload_problem=error.text)
    return _show_plan(site, ask, text, planned)


def apply(site: Site, ask: Ask) -> Response:
    """Imports the file that was shown, if it would still change what was shown; otherwise it is shown again."""
    try:
        text = base64.b64decode(ask.form.get("file"), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise HTTPException(400, "The form is not whole; nothing was imported.") from None
    try:
        planned = _import(site, ask, text, dry_run=True)
        if _digest(planned) != ask.form.get("seen"):
            return _show_plan(site, ask, text, planned, is_changed=True)
        _import(site, ask, text, actor=ask.visitor.actor)
    except GoalsConfigError as error:
        return show(site, ask, 422, upload_problem=error.text)
    name = ask.form.get("connection")
    _match_again(site, name)
    return go_to("employees", connection=name, done="imported")


def download(site: Site, ask: Ask) -> Response:
    """The roster as a file that imports again without a change."""
    name = ask.query.get("connection", "")
    text = services.roster.export_roster(site.database, name)
    headers = {"Content-Disposition": f'attachment; filename="employees-{name}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def _decode(content: bytes | None) -> str:
    if not content:
        raise GoalsConfigError("no file was chosen, or it is empty; nothing was imported")
    if len(content) > FILE_BYTES:
        raise GoalsConfigError(
            f"the file is larger than {FILE_BYTES // 2**20} MB; nothing was imported",
            action="Import it with perfcopilot-goals employee import",
        )
    return decode_roster(content, "the file")


def _import(site: Site, ask: Ask, text: str, **more: Any) -> RosterImport:
    """Bad lines are left out and named, except where employees who are not in the file are removed."""
    name, replaces = ask.form.get("connection"), ask.form.has("replaces")
    return services.roster.import_roster(site.database, name, text, skip_bad=not replaces, replaces=replaces, **more)


def _show_plan(site: Site, ask: Ask, text: str, planned: RosterImport, *, is_changed: bool = False) -> Response:
    file = base64.b64encode(text.encode()).decode()
    return show(site, ask, preview=planned, file=file, seen=_digest(planned), is_changed=is_changed)


def _digest(planned: RosterImport) -> str:
    """What the import would change, as a digest: two that are equal change the same."""
    changes = planned.changes
    written = [astuple(employee) for employee in changes.written]
    parts = (written, changes.added, changes.remapped, list(planned.removed), sorted(planned.bad))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _match_again(site: Site, name: str) -> None:
    """Brings the suggestions up to date with the roster."""
    if listed := site.find_listed(name):
        listed.suggestions = services.mapping.match_again(site.database, name, listed.users)


def _typed(form: Form) -> dict[str, str]:
    """What was typed for each employee."""
    return dict(zip(form.all("employee"), (user.strip() for user in form.all("user")), strict=False))
