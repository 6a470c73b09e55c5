"""The audit tab: who changed what, and whose goals they looked at."""

from functools import partial

from starlette.responses import Response

from perfcopilot_goals import services
from perfcopilot_goals.admin.site import Ask, Site


def show(site: Site, ask: Ask) -> Response:
    """A page of the log, the latest entries first."""
    entries = ask.page(partial(services.audit.list_audit_log, site.database))
    return site.render("audit.html", ask, entries=entries)
