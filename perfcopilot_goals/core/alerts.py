"""What somebody is told who does not look at the UI: that a sync failed, that an employee became truncated.

The text holds a connection, an error's class, what to do and a link; no goal's text and nobody's name.
"""

from collections.abc import Mapping

SHOWN = 10

# connection -> employee id -> how many goals they own
Truncated = Mapping[str, Mapping[str, int]]


def newly_truncated(before: Truncated, now: Truncated) -> dict[str, dict[str, int]]:
    """Employees who are truncated now and were not before, by connection; how many goals they own may change."""
    new = {
        connection: {who: owned for who, owned in employees.items() if who not in before.get(connection, {})}
        for connection, employees in now.items()
    }
    return {connection: employees for connection, employees in new.items() if employees}


def tell_failure(connection: str, error: str, link: str) -> str:
    """A sync failed. `error` is the failure's own text, which begins with its class and says what to do."""
    return f"Sync of connection {connection} failed.\n{error}\n{link}"


def tell_truncated(new: Truncated, cap: int, link: str) -> str:
    """Employees own more goals than the cap since the latest syncs; a line for each connection."""
    lines = [f"Goals are missing from blocks: these employees own more than {cap}, each with how many."]
    lines += [f"{connection}: {_named(employees)}" for connection, employees in sorted(new.items())[:SHOWN]]
    lines += [f"and of {len(new) - SHOWN} more connections"] if len(new) > SHOWN else []
    lines += ["Close or re-own goals in Asana, or read the drafts with that in mind.", link]
    return "\n".join(lines)


def _named(employees: Mapping[str, int]) -> str:
    named = ", ".join(f"{who} ({owned})" for who, owned in sorted(employees.items())[:SHOWN])
    return named + (f" and {len(employees) - SHOWN} more" if len(employees) > SHOWN else "")
