"""Who reports to whom, by the managers' e-mail addresses of a roster."""

from collections import defaultdict
from collections.abc import Iterable

from perfcopilot_goals.domain.employee import Employee, address_of


def find_reports(email: str, roster: Iterable[Employee]) -> frozenset[str]:
    """Ids of the employees who report to this address, directly or through others. Never those with the address itself.

    People who manage one another in a circle are each found once.
    """
    direct: dict[str, list[Employee]] = defaultdict(list)
    for employee in roster:
        direct[address_of(employee.manager_email)].append(employee)
    manager = address_of(email)
    found: dict[str, str] = {}
    # An empty address is nobody's, so nobody reports to it.
    waiting, seen = ([manager] if manager else []), {manager, ""}
    while waiting:
        for employee in direct.get(waiting.pop(), ()):
            address = address_of(employee.email)
            found[employee.employee_id] = address
            if address not in seen:
                seen.add(address)
                waiting.append(address)
    return frozenset(employee_id for employee_id, address in found.items() if address != manager)
