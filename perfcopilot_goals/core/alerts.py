"""The alerts for people who do not look at the UI: a sync failed, an employee became truncated.

The text holds a connection, an error's class, what to do and a link; no goal's text and nobody's name. It is escaped
for Slack, which notifies a whole channel where it reads `<!channel>`.

A sensor's cursor remembers which employees were alerted. Dagster copies it into every tick, so it holds no employee id.
It holds a digest of each, keyed by the webhook's URL, which is not in the database.
"""

import hmac
import json
from collections.abc import Collection, Mapping
from typing import Any

SHOWN = 10
DIGEST_CHARS = 32

# connection -> employee id -> how many goals they own
Truncated = Mapping[str, Mapping[str, int]]
# connection -> digests of the employees who were in an alert
Alerted = Mapping[str, Collection[str]]


def parse_alerted(cursor: str | None, webhook: str) -> Alerted:
    """The employees that this webhook had an alert of, from the cursor of the last tick.

    Earlier versions wrote the employee ids themselves, each with its number of goals; such a cursor is read too. One of
    any other form counts as empty: a second alert does no harm, a missing one does.
    """
    try:
        connections = json.loads(cursor or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(connections, dict):
        return {}
    return {name: _parse_digests(name, employees, webhook) for name, employees in connections.items()}


def render_alerted(now: Truncated, webhook: str) -> str:
    """The cursor for the next tick: this webhook had an alert of these employees."""
    digests = {name: sorted(_digests(name, employees, webhook)) for name, employees in now.items()}
    return json.dumps(digests, sort_keys=True)


def newly_truncated(alerted: Alerted, now: Truncated, webhook: str) -> dict[str, dict[str, int]]:
    """Employees who are truncated now and were in no alert yet, by connection. A changed number of goals is not new."""
    new = {
        connection: {
            who: owned
            for who, owned in employees.items()
            if _digest(connection, who, webhook) not in alerted.get(connection, ())
        }
        for connection, employees in now.items()
    }
    return {connection: employees for connection, employees in new.items() if employees}


def tell_failure(connection: str, error: str, link: str) -> str:
    """A sync failed. `error` is the failure's own text, which begins with its class and says what to do."""
    return f"Sync of connection {_escaped(connection)} failed.\n{_escaped(error)}\n{_escaped(link)}"


def tell_truncated(new: Truncated, cap: int, link: str) -> str:
    """Employees own more goals than the cap since the latest syncs; a line for each connection."""
    lines = [f"Goals are missing from blocks: these employees own more than {cap}, each with how many."]
    lines += [f"{_escaped(name)}: {_named(employees)}" for name, employees in sorted(new.items())[:SHOWN]]
    lines += [f"and of {len(new) - SHOWN} more connections"] if len(new) > SHOWN else []
    lines += ["Close or re-own goals in Asana, or read the drafts with that in mind.", _escaped(link)]
    return "\n".join(lines)


def _named(employees: Mapping[str, int]) -> str:
    named = ", ".join(f"{_escaped(who)} ({owned})" for who, owned in sorted(employees.items())[:SHOWN])
    return named + (f" and {len(employees) - SHOWN} more" if len(employees) > SHOWN else "")


def _escaped(text: str) -> str:
    """The text as Slack shows it literally: these three characters make its links and mentions."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


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
