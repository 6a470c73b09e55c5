"""The logs: the syncs tab says how each sync ended, the audit tab who changed what and looked at whose goals."""

from functools import partial
from typing import Any

from starlette.responses import Response

from perfcopilot_goals import services
from perfcopilot_goals.admin.site import Ask, Site
from perfcopilot_goals.domain.actions import advise
from perfcopilot_goals.domain.sync import SLICE_TABLES, Sync

_IDS_SHOWN = 50


def show_syncs(site: Site, ask: Ask) -> Response:
    """A page of the sync log, the latest syncs first; of one connection if the query names it."""
    connection = ask.query.get("connection", "")
    syncs = ask.page(partial(services.status.list_syncs, site.database, connection=connection))
    return site.render(
        "syncs.html", ask, syncs=syncs, describe=describe, connection=connection, names=site.connection_names()
    )


def show_audit(site: Site, ask: Ask) -> Response:
    """A page of the audit log, the latest entries first."""
    entries = ask.page(partial(services.audit.list_audit_log, site.database))
    return site.render("audit.html", ask, entries=entries)


def describe(sync: Sync) -> dict[str, Any]:
    """A sync as the templates show it: rows by table as far as they are written, and the ids of what is incomplete."""
    tables = sync.counts.get("tables", {})
    notes, blocks = (tables.get(table, {}).get("notes", {}) for table in ("subgoals", "prompt_blocks"))
    hidden = [entry.get("goal_gid", "") for entry in notes.get("hidden", [])]
    unread = list(notes.get("unread", []))
    truncated = [entry.get("employee_id", "") for entry in blocks.get("truncated_blocks", [])]
    return {
        "sync": sync,
        "rows": {table: tables[table]["rows"] for table in SLICE_TABLES if table in tables},
        "steps": f"{len(tables)} of {len(SLICE_TABLES)}",
        "unread": unread[:_IDS_SHOWN],
        "unread_count": len(unread),
        "hidden": hidden[:_IDS_SHOWN],
        "hidden_count": notes.get("hidden_subgoals", 0),
        "truncated": truncated[:_IDS_SHOWN],
        "truncated_count": len(truncated),
        "unmapped_count": len(blocks.get("unmapped", [])),
        "advice": advise(sync.error_code) if sync.state == "failed" else "",
    }
