"""The audit tab: who changed what, and whose goals they looked at."""

from starlette.responses import Response

from perfcopilot_goals import services
from perfcopilot_goals.admin.site import PAGE_ROWS, Ask, Site, pages


def show(site: Site, ask: Ask) -> Response:
    """A page of the log, the latest entries first."""
    page = ask.number("page")
    entries, total = services.audit.list_audit_log(site.database, PAGE_ROWS, (page - 1) * PAGE_ROWS)
    return site.render("audit.html", ask, entries=entries, page=page, page_count=pages(total))
