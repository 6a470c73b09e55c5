"""Finds mapped employees whom the e-mails contradict: one person's goals may be in another's review.

An address that nobody has on the other side proves nothing, because people use private addresses in Asana. Only an
address that is somebody else's does. Add a sign here only if it points to somebody else. `suggestions` finds who an
unmapped employee may be.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from perfcopilot_goals.core.suggestions import AsanaUser
from perfcopilot_goals.domain.employee import MAPPING_CONFLICTS, Employee, address_of

EMAIL_OF_ANOTHER_USER, USER_OF_ANOTHER_EMPLOYEE, BOTH = MAPPING_CONFLICTS


@dataclass(frozen=True)
class MappingConflict:
    """A mapped employee, and whom the e-mails point to instead.

    `other_gids` are the Asana users with the employee's e-mail. `other_employee_ids` are the employees with the e-mail
    of the employee's Asana user. `kind` says which of the two there are.
    """

    employee_id: str
    gid: str
    kind: str
    other_gids: list[str]
    other_employee_ids: list[str]


def find_conflicts(roster: Iterable[Employee], users: Iterable[AsanaUser]) -> list[MappingConflict]:
    """One entry per mapped employee whom an e-mail contradicts, in the roster's order.

    | the employee's e-mail | their Asana user's e-mail | |
    |---|---|---|
    | the same address | the same address | agrees, even if others have it too. |
    | no Asana user's | no other employee's, hidden, or the user is gone | proves nothing. |
    | another Asana user's | | `email_of_another_user`. |
    | | another employee's | `user_of_another_employee`. |

    A mailbox that several employees share is no contradiction if one of them is mapped to its user.
    """
    people = list(roster)
    addresses = {employee.employee_id: address_of(employee.email) for employee in people}
    address_of_user = {user.gid: address_of(user.email) for user in users}
    employees_at, users_at = _by_address(addresses), _by_address(address_of_user)
    holder = {employee.asana_user_gid: employee.employee_id for employee in people if employee.asana_user_gid}
    conflicts = []
    for employee in people:
        gid, address = employee.asana_user_gid, addresses[employee.employee_id]
        theirs = address_of_user.get(gid or "", "")
        if gid is None or (address and address == theirs):
            continue
        other_gids = [
            other for other in users_at.get(address, []) if addresses.get(holder.get(other, ""), "") != address
        ]
        other_employee_ids = employees_at.get(theirs, [])
        if other_gids or other_employee_ids:
            kind = EMAIL_OF_ANOTHER_USER if other_gids else USER_OF_ANOTHER_EMPLOYEE
            kind = BOTH if other_gids and other_employee_ids else kind
            conflicts.append(MappingConflict(employee.employee_id, gid, kind, other_gids, other_employee_ids))
    return conflicts


def _by_address(addresses: dict[str, str]) -> dict[str, list[str]]:
    """The ids at each address. Those without an address are left out."""
    ids_at: dict[str, list[str]] = defaultdict(list)
    for i, address in addresses.items():
        if address:
            ids_at[address].append(i)
    return dict(ids_at)
