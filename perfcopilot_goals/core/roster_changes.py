"""What changes a roster, decided before anything is written: importing a file, or mapping some employees at once."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from perfcopilot_goals.core.roster import shared_gids
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.domain.ids import is_gid


@dataclass(frozen=True)
class Changes:
    """What an import does. `written` are the employees to add or change, in their new form; the others are ids.

    `remapped` get another Asana user than they had. `kept` stay mapped although the file leaves their Asana user empty.
    `absent` are not in the file; with a replace they are removed. `bad` lines claim somebody else's Asana user.
    """

    written: list[Employee]
    added: list[str]
    changed: list[str]
    remapped: list[str]
    kept: list[str]
    absent: list[str]
    unchanged: int
    bad: dict[int, str]


def plan_import(
    roster: Iterable[Employee], lines: Mapping[int, Employee], *, replaces: bool = False, has_managers: bool = True
) -> Changes:
    """What these lines change. An empty Asana user means "not known", so mapped employees stay mapped.

    `has_managers` is False if the file has no column for managers. Then managers stay as they are.
    """
    before = {employee.employee_id: employee for employee in roster}
    bad: dict[int, str] = {}
    while True:
        good = {number: line for number, line in lines.items() if number not in bad}
        given = {n.employee_id: _completed(n, before.get(n.employee_id), has_managers) for n in good.values()}
        in_file = {line.employee_id for line in lines.values()}
        stay = {i: employee for i, employee in before.items() if i in in_file or not replaces}
        wrong = _claims_of_others(good, stay | given)
        if not wrong:
            break
        # An employee whose line is left out keeps their Asana user, and another line may claim that one.
        bad |= wrong
    written = [employee for i, employee in given.items() if before.get(i) != employee]
    return Changes(
        written=written,
        added=[e.employee_id for e in written if e.employee_id not in before],
        changed=[e.employee_id for e in written if e.employee_id in before],
        remapped=[e.employee_id for e in written if _had(before, e) not in (None, e.asana_user_gid)],
        kept=[n.employee_id for n in good.values() if n.asana_user_gid is None and _had(before, n)],
        absent=[i for i in before if i not in in_file],
        unchanged=len(given) - len(written),
        bad=bad,
    )


def _completed(line: Employee, before: Employee | None, has_managers: bool) -> Employee:
    """The line, with what the file leaves open filled in as it was."""
    if before is None:
        return line
    return replace(
        line,
        asana_user_gid=line.asana_user_gid or before.asana_user_gid,
        manager_email=line.manager_email if has_managers else before.manager_email,
    )


def _had(before: Mapping[str, Employee], employee: Employee) -> str | None:
    return before[employee.employee_id].asana_user_gid if employee.employee_id in before else None


def _claims_of_others(lines: Mapping[int, Employee], roster: Mapping[str, Employee]) -> dict[int, str]:
    """Lines that claim another employee's Asana user, unless the same file takes it from that employee."""
    shared = shared_gids(roster.values())
    wrong = {}
    for number, line in lines.items():
        others = [i for i in shared.get(line.asana_user_gid or "", []) if i != line.employee_id]
        if others:
            wrong[number] = (
                f"asana_user_gid {line.asana_user_gid} belongs to {others[0]} in the roster; "
                f"if {line.employee_id} is right, run employee unmap for {others[0]} first"
            )
    return wrong


def find_mapping_problems(
    roster: Iterable[Employee], gid_of: Mapping[str, str], is_erased: Callable[[str], bool]
) -> dict[str, str]:
    """What is wrong with these mappings, by employee id; empty if all can be made. `gid_of` is the user by id."""
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
