"""The roster as a file: uploaded, shown as it would change the roster, applied, and downloaded."""

import base64
import binascii
import hashlib
import json
from dataclasses import astuple
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from perfcopilot_goals import services
from perfcopilot_goals.admin.employees import match_again, show
from perfcopilot_goals.admin.site import Ask, Site, go_to
from perfcopilot_goals.core.roster_text import decode_roster
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.services.roster_import import RosterImport

# Some sixty thousand employees. The file comes back with the form that applies it, so it passes the page twice.
FILE_BYTES = 8 * 2**20


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
    match_again(site, name)
    return go_to("employees", connection=name, done="imported")


def download(site: Site, ask: Ask) -> Response:
    """The roster as a file that imports again without a change."""
    name = ask.query.get("connection", "")
    text = services.roster_import.export_roster(site.database, name)
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
    return services.roster_import.import_roster(
        site.database, name, text, skip_bad=not replaces, replaces=replaces, **more
    )


def _show_plan(site: Site, ask: Ask, text: str, planned: RosterImport, *, is_changed: bool = False) -> Response:
    file = base64.b64encode(text.encode()).decode()
    return show(site, ask, preview=planned, file=file, seen=_digest(planned), is_changed=is_changed)


def _digest(planned: RosterImport) -> str:
    """What the import would change, as a digest: two that are equal change the same."""
    changes = planned.changes
    written = [astuple(employee) for employee in changes.written]
    parts = (written, changes.added, changes.remapped, list(planned.removed), sorted(planned.bad))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
