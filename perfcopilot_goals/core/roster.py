"""The roster: who works here, and who they are in Asana."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable

from perfcopilot_goals.core.answers import storable
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.schemas.rows import Employee

COLUMNS = ("employee_id", "full_name", "email", "asana_user_gid")
# Lines of a file that are named before the rest is only counted.
_SHOWN = 20


def read_roster(text: str) -> list[Employee]:
    """The employees of a CSV file with a header, in any order of columns; other columns are ignored.

    Comma or semicolon, with or without a byte-order mark. All lines are good or `GoalsConfigError` names the bad ones
    by number, without their content.
    """
    lines = text.removeprefix("\ufeff")
    header = lines.partition("\n")[0]
    reader = csv.reader(io.StringIO(lines, newline=""), delimiter=";" if header.count(";") > header.count(",") else ",")
    employees: list[Employee] = []
    bad: list[str] = []
    try:
        names = _header(next(reader, []))
        for values in reader:
            if any(value.strip() for value in values):
                row = dict(zip(names, (storable(value.strip()) for value in values), strict=False))
                problem = _problem(row, len(values) - len(names))
                bad += [f"line {reader.line_num}: {problem}"] if problem else []
                employees += [] if problem else [_employee(row)]
    except csv.Error as error:
        bad.append(f"line {reader.line_num}: {error}")
    bad += _doubles(employees)
    if bad:
        more = f" … and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise GoalsConfigError(
            f"nothing was imported; {'; '.join(bad[:_SHOWN])}{more}. Mend these lines and import again"
        )
    return employees


def _header(values: list[str]) -> list[str]:
    names = [name.strip().lower() for name in values]
    for problem, found in (
        ("missing", [name for name in COLUMNS if name not in names]),
        ("more than once", [name for name in COLUMNS if names.count(name) > 1]),
    ):
        if found:
            raise GoalsConfigError(
                f"the roster's first line must name {', '.join(COLUMNS)}, each once; {problem}: {', '.join(found)}"
            )
    return names


def check_gid(gid: str, what: str) -> str:
    """The gid as given, or `GoalsConfigError`: Asana's ids are strings of digits."""
    if re.fullmatch("[0-9]+", gid):
        return gid
    raise GoalsConfigError(f"{what} must be Asana's numeric id (digits only); what was given is not")


def shared_gids(employees: Iterable[Employee]) -> dict[str, list[str]]:
    """Asana users that more than one employee claims to be, with the employees' ids."""
    claims: dict[str, list[str]] = {}
    for employee in employees:
        if employee.asana_user_gid:
            claims.setdefault(employee.asana_user_gid, []).append(employee.employee_id)
    return {gid: ids for gid, ids in claims.items() if len(ids) > 1}


def _employee(row: dict[str, str]) -> Employee:
    return Employee(row["employee_id"], row["full_name"], row["email"], row["asana_user_gid"] or None)


def _problem(row: dict[str, str], surplus: int) -> str:
    if surplus:
        return "more fields than the header" if surplus > 0 else "fewer fields than the header"
    if not row["employee_id"] or not row["employee_id"].isprintable():
        return "employee_id is empty or has characters that cannot be printed"
    if not row["full_name"]:
        return "full_name is empty"
    if len(row["full_name"].splitlines()) > 1 or len(row["email"].splitlines()) > 1:
        # A quote without its pair swallows the next line, and with it gives one person the gid of another.
        return "full_name or email goes over several lines (a quote may lack its pair)"
    if row["asana_user_gid"] and not re.fullmatch("[0-9]+", row["asana_user_gid"]):
        return "asana_user_gid is not digits only (a spreadsheet may have turned it into 1.2E+15)"
    return ""


def _doubles(employees: list[Employee]) -> list[str]:
    times = Counter(employee.employee_id for employee in employees)
    bad = [f"employee_id {i} stands {count} times" for i, count in sorted(times.items()) if count > 1]
    return bad + [f"asana_user_gid {gid} is claimed by {', '.join(who)}" for gid, who in shared_gids(employees).items()]
