"""What is wrong with mapping some employees to Asana users at once, decided before anything is written."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.domain.gid import is_gid


def find_mapping_problems(
    roster: Iterable[Employee], gid_of: Mapping[str, str], is_erased: Callable[[str], bool]
) -> dict[str, str]:
    """What is wrong, by employee id; empty if all of them can be mapped. `gid_of` is the user by employee id."""
    people = {employee.employee_id: employee for employee in roster}
    holder = {e.asana_user_gid: e.employee_id for e in people.values() if e.asana_user_gid}
    times = Counter(gid_of.values())

    def find(employee_id: str, gid: str) -> str:
        if employee_id not in people:
            return "is not on the roster any more"
        if people[employee_id].asana_user_gid not in (None, gid):
            return f"was mapped to Asana user {people[employee_id].asana_user_gid} meanwhile; unmap them first"
        if not is_gid(gid):
            return "an Asana user's GID must be digits only"
        if is_erased(gid):
            return "this Asana user was erased and cannot be mapped"
        if holder.get(gid, employee_id) != employee_id:
            return f"Asana user {gid} is mapped to {holder[gid]}; unmap them first"
        if times[gid] > 1:
            return f"Asana user {gid} is chosen for {times[gid]} employees; a user can be one employee only"
        return ""

    found = {employee_id: find(employee_id, gid) for employee_id, gid in gid_of.items()}
    return {employee_id: problem for employee_id, problem in found.items() if problem}
