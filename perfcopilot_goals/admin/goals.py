"""The goals tab: an employee's goals as Asana has them, and the block as the review's prompt has it."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from perfcopilot_goals import services
from perfcopilot_goals.admin.access import Denied
from perfcopilot_goals.admin.site import Ask, Site
from perfcopilot_goals.services.roster import Page

REASONS = {
    "ok": "The block lists all of the goals.",
    "truncated": "They own more goals than a block lists, so the rest is missing.",
    "owns_no_goals": "They own no goal in Asana.",
    "had_goals_before": "They own no goal in Asana any more; an earlier block had some.",
    "asana_user_gone": "Their Asana user is not in the workspace any more.",
    "not_synced": "There is no block yet: no sync has run since they were mapped.",
    "unmapped": "It is not known yet who they are in Asana, so no goals are read.",
}


def show(site: Site, ask: Ask) -> Response:
    """The employees whose goals the visitor may see; with one in the query, that one's goals."""
    names = site.connection_names() if ask.visitor.is_admin else sorted(ask.visitor.reports)
    connection = ask.query.get("connection") or (names[0] if names else "")
    if connection and connection not in names:
        if ask.visitor.is_admin:
            raise HTTPException(404)
        raise Denied("Nobody of this connection reports to you.")
    employee_id = ask.query.get("employee", "")
    if employee_id:
        return _show_goals(site, ask, connection, employee_id)
    if not connection:
        return site.render("people.html", ask, names=names, connection="")
    search = ask.query.get("q", "")
    only = None if ask.visitor.is_admin else ask.visitor.reports[connection]
    people = ask.page(
        lambda limit, offset: services.roster.list_people(site.database, connection, Page(limit, offset, search), only)
    )
    return site.render("people.html", ask, names=names, connection=connection, people=people, search=search)


def _show_goals(site: Site, ask: Ask, connection: str, employee_id: str) -> Response:
    if not ask.visitor.may_see(connection, employee_id):
        raise Denied("This employee does not report to you.")
    found = services.prompts.find_goals(site.database, connection, employee_id)
    # Before the page is shown: there is no look without its entry.
    services.audit.record_look(site.database, connection, ask.visitor.actor, employee_id)
    return site.render("goals.html", ask, connection=connection, found=found, reason=REASONS[found.person.reason])
