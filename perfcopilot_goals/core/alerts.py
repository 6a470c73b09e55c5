"""The alerts for people who do not look at the UI: a sync failed, an employee became truncated.

An alert names the connection, the error's class, what to do and a link. It holds no goal's text and no person's name.
It is escaped for Slack, where a text with `<!channel>` notifies a whole channel.

A sensor's cursor remembers which employees had an alert. Dagster copies it into every tick, so it holds no employee id
but a digest of each. The digest's key is the webhook's URL, which is not in the database.
"""

import hmac
import html
import json
from collections.abc import Collection, Mapping
from typing import Any

from perfcopilot_goals.domain.ids import show_ids

SHOWN = 10
DIGEST_CHARS = 32

# connection -> employee id -> how many goals they own
Truncated = Mapping[str, Mapping[str, int]]
# connection -> digests of the employees who had an alert
Alerted = Mapping[str, Collection[str]]


def parse_alerted(cursor: str | None, webhook: str) -> Alerted:
    """The employees whose alert this webhook already had, by the cursor of the last tick.

    Earlier versions wrote the employee ids themselves, each with its number of goals. Such a cursor is read too. A
    cursor of any other form counts as empty: a second alert does no harm, a missing one does.
    """
    try:
        connections = json.loads(cursor or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(connections, dict):
        return {}
    return {name: _parse_digests(name, employees, webhook) for name, employees in connections.items()}


def render_alerted(now: Truncated, webhook: str) -> str:
    """The cursor for the next tick: these employees have had their alert."""
    digests = {name: sorted(_digests(name, employees, webhook)) for name, employees in now.items()}
    return json.dumps(digests, sort_keys=True)


def newly_truncated(alerted: Alerted, now: Truncated, webhook: str) -> dict[str, dict[str, int]]:
    """Truncated employees who had no alert yet, by connection. A changed number of goals is not new."""
    new: dict[str, dict[str, int]] = {}
    for connection, employees in now.items():
        for who, owned in employees.items():
            if _digest(connection, who, webhook) not in alerted.get(connection, ()):
                new.setdefault(connection, {})[who] = owned
    return new


def failure_text(connection: str | None, job: str, error: str, link: str) -> str:
    """The alert for a failed sync of the connection or, without one, for a failed job.

    `error` is the failure's text: it begins with its class and says what to do.
    """
    what = f"Job {job}" if connection is None else f"Sync of connection {connection}"
    return "\n".join(map(_escaped, (f"{what} failed.", error, link)))


def truncation_text(new: Truncated, cap: int, link: str) -> str:
    """The alert for employees who now own more goals than the cap, with a line for each connection."""
    lines = [f"Goals are missing from blocks. These employees own more than {cap} goals (how many in brackets):"]
    lines += [f"{_escaped(name)}: {_named(employees)}" for name, employees in sorted(new.items())[:SHOWN]]
    lines += [f"and in {len(new) - SHOWN} more connections"] if len(new) > SHOWN else []
    lines += ["Close or re-own goals in Asana, or read the drafts with that in mind.", _escaped(link)]
    return "\n".join(lines)


def _named(employees: Mapping[str, int]) -> str:
    return show_ids([f"{_escaped(who)} ({owned})" for who, owned in sorted(employees.items())])


def _escaped(text: str) -> str:
    """The text escaped so that Slack shows it as it is: & < > make its links and mentions."""
    return html.escape(text, quote=False)


def _parse_digests(connection: str, employees: Any, webhook: str) -> Collection[str]:
    if isinstance(employees, dict):
        return _digests(connection, employees, webhook)
    return {digest for digest in employees if isinstance(digest, str)} if isinstance(employees, list) else set()


def _digests(connection: str, employees: Collection[str], webhook: str) -> set[str]:
    return {_digest(connection, who, webhook) for who in employees}


def _digest(connection: str, employee_id: str, webhook: str) -> str:
    # A connection's name has no line feed, so no two pairs read the same.
    who = f"{connection}\n{employee_id}".encode()
    return hmac.digest(webhook.encode(), who, "sha256").hex()[:DIGEST_CHARS]
