"""A roster's file, as spreadsheets save it: who works here, and who they are in Asana. Reads and writes it."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from perfcopilot_goals.core.responses import storable
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.domain.ids import is_gid
from perfcopilot_goals.errors import GoalsConfigError

COLUMNS = ("employee_id", "full_name", "email", "asana_user_gid")
# Optional: read if the header has it.
MANAGER = "manager_email"
DELIMITERS = ",;\t|"

_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# The first bytes of a workbook: .xlsx, and the older .xls.
_WORKBOOK_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
# A first line by which a spreadsheet says what separates the fields. It may be quoted and padded with delimiters.
_SEP_LINE = re.compile(r'"?sep=(?P<delimiter>[^"\r\n]*)"?(?P<rest>.*)', re.IGNORECASE)
_NAMES_SHOWN, _NAME_CHARS = 12, 40


@dataclass(frozen=True)
class RosterFile:
    """A roster's file.

    `lines` are its good records by the number of their last line. `bad` says what is wrong with each bad line.
    `ignored` are the columns that are not ours. `has_managers`: the header names the optional `manager_email`.
    """

    lines: dict[int, Employee]
    bad: dict[int, str]
    ignored: list[str]
    has_managers: bool = False


def decode_roster(content: bytes, file_name: str) -> str:
    """The text of a file in UTF-8, or in UTF-16 with its byte-order mark. `GoalsConfigError` says what else it is."""
    problem = ""
    encoding = "utf-16" if content.startswith(_UTF_16_MARKS) else "utf-8-sig"
    if content.startswith(_WORKBOOK_MARKS):
        problem = "is an Excel workbook, not a CSV file"
    elif encoding == "utf-8-sig" and b"\0" in content.partition(b"\n")[0]:
        problem = "looks like UTF-16 without a byte-order mark"
    else:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            problem = (
                "is not whole UTF-16" if encoding == "utf-16" else f"is not UTF-8 (line {line}, byte {error.start})"
            )
    # Raised outside the except block: the decoder's error holds the file's content, and would be kept as the context.
    save_as = 'Save it as "CSV UTF-8" and import it again'
    raise GoalsConfigError(f"{file_name} {problem}; nothing was imported", action=save_as)


def parse_roster(text: str) -> RosterFile:
    """The lines of a CSV file with a header. Columns may be in any order, and other columns are ignored.

    The fields are separated by comma, semicolon, tab, pipe, or the character that a first line `sep=` names. A
    byte-order mark is skipped. Raises `GoalsConfigError` if the header is wrong.

    Each line of a bad record counts as bad. An unpaired quote swallows the lines that follow, and nobody may be left
    out without being named.
    """
    lines = io.StringIO(text.removeprefix("\ufeff"), newline="")
    delimiter, above = _find_delimiter(lines.getvalue())
    for _ in range(above):
        lines.readline()
    reader = csv.reader(lines, delimiter=delimiter)
    good: dict[int, Employee] = {}
    bad: dict[int, str] = {}
    names: list[str] | None = None
    while True:
        first = above + reader.line_num + 1
        problem = ""
        try:
            values = next(reader)
            if names is None:
                names = _header(values, delimiter)
            elif any(value.strip() for value in values):
                row = dict(zip(names, (storable(value.strip()) for value in values), strict=False))
                problem = _problem(row, len(values) - len(names))
                good |= {} if problem else {above + reader.line_num: _employee(row)}
        except StopIteration:
            break
        except csv.Error as error:
            problem = str(error)
        bad |= dict.fromkeys(range(first, above + reader.line_num + 1), problem) if problem else {}
    names = _header([], delimiter) if names is None else names
    doubles = _doubles(good)
    return RosterFile(
        lines={n: e for n, e in good.items() if n not in doubles},
        bad=dict(sorted((bad | doubles).items())),
        ignored=[name for name in names if name and name not in (*COLUMNS, MANAGER)],
        has_managers=MANAGER in names,
    )


def render_roster(roster: Iterable[Employee]) -> str:
    """The roster as a CSV file, which `parse_roster` reads as the same employees."""
    lines = io.StringIO(newline="")
    writer = csv.writer(lines)
    writer.writerow([*COLUMNS, MANAGER])
    for e in roster:
        writer.writerow([e.employee_id, e.full_name, e.email, e.asana_user_gid or "", e.manager_email or ""])
    return lines.getvalue()


def refusal_of_lines(bad: Mapping[int, str]) -> GoalsConfigError:
    """The error that names every bad line by its number, without its content."""
    error = GoalsConfigError(
        "nothing was imported", action="Correct these lines and import again, or skip them: --skip-bad"
    )
    return error.listing(f"line {number}: {problem}" for number, problem in sorted(bad.items()))


def _find_delimiter(text: str) -> tuple[str, int]:
    """What separates the fields, and how many lines are above the header: one if there is a line like `sep=;`.

    Without such a line, the delimiter is the one that finds the most of `COLUMNS` in the header.
    """
    first = re.split(r"[\r\n]", text, maxsplit=1)[0]
    if sep := _SEP_LINE.fullmatch(first.strip(" ")):
        given = sep["delimiter"]
        # A spreadsheet that saves the file again turns it into `sep=;;;`.
        if len(set(given)) != 1 or sep["rest"].strip(DELIMITERS):
            raise GoalsConfigError(
                "the roster's first line is sep= but not followed by one character; nothing was imported",
                action="Name the character that separates the fields, such as sep=;",
            )
        return given[0], 1
    return max(DELIMITERS, key=lambda delimiter: (_count_found(first, delimiter), first.count(delimiter))), 0


def _count_found(header: str, delimiter: str) -> int:
    try:
        names = {name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])}
    except csv.Error:
        return 0
    return len(names.intersection(COLUMNS))


def _header(values: list[str], delimiter: str) -> list[str]:
    names = [name.strip().lower() for name in values]
    for problem, found in (
        ("missing", [name for name in COLUMNS if name not in names]),
        ("more than once", [name for name in (*COLUMNS, MANAGER) if names.count(name) > 1]),
    ):
        if found:
            raise GoalsConfigError(
                f"the roster's header must name {', '.join(COLUMNS)}, each once; {problem}: {', '.join(found)}; "
                f"{_describe_header(values, delimiter)}"
            )
    return names


def _describe_header(values: Sequence[str], delimiter: str) -> str:
    """For an error: what the header has in place of `COLUMNS`. Anything that may be personal data is left out."""
    shown = ["".join(filter(str.isprintable, value)).strip()[:_NAME_CHARS] for value in values]
    shown = [name for name in shown if name]
    text = " ".join(values)
    names_ours = [word for word in re.findall(r"\w+", text.lower()) if word in COLUMNS]
    if not shown:
        return "it is empty"
    if not names_ours and any(character == "@" or character.isdigit() for character in text):
        return "it looks like data; put the header in a line above it"
    if len(values) == 1 and len(names_ours) > 1:
        between = set(re.findall(rf"(?:{'|'.join(COLUMNS)})\b(\W+)", values[0], re.IGNORECASE))
        separator = _quote(between.pop()) if len(between) == 1 else "something unclear"
        return (
            f"its names are separated by {separator}, but it was read as separated by {_quote(delimiter)}; use a "
            "comma, semicolon, tab or pipe, or name the character in a line above the header, such as sep=;"
        )
    more = f" and {len(shown) - _NAMES_SHOWN} more" if len(shown) > _NAMES_SHOWN else ""
    return f"found: {', '.join(shown[:_NAMES_SHOWN])}{more}"


def _quote(separator: str) -> str:
    """The separator, written so that an error can name it."""
    character = separator.strip()[:1]
    if not character:
        return "a tab" if "\t" in separator else "blanks"
    return f"'{character}'" if character.isprintable() else f"U+{ord(character):04X}"


def check_gid(gid: str, what: str, action: str) -> str:
    """The gid without blanks around it, or `GoalsConfigError` with this action: Asana's ids are strings of digits."""
    if is_gid(gid.strip()):
        return gid.strip()
    raise GoalsConfigError(
        f"{what} must be Asana's numeric id (digits only); what was given is not",
        action=action,
    )


def shared_gids(employees: Iterable[Employee]) -> dict[str, list[str]]:
    """Asana users that more than one employee claims, with the employees' ids. A user can be only one employee."""
    claims: dict[str, list[str]] = {}
    for employee in employees:
        if employee.asana_user_gid:
            claims.setdefault(employee.asana_user_gid, []).append(employee.employee_id)
    return {gid: ids for gid, ids in claims.items() if len(ids) > 1}


def _employee(row: dict[str, str]) -> Employee:
    return Employee(
        row["employee_id"], row["full_name"], row["email"], row["asana_user_gid"] or None, row.get(MANAGER) or None
    )


def _problem(row: dict[str, str], surplus: int) -> str:
    if surplus:
        return "more fields than the header" if surplus > 0 else "fewer fields than the header"
    if not row["employee_id"] or not row["employee_id"].isprintable():
        return "employee_id is empty or has characters that cannot be printed"
    if not row["full_name"]:
        return "full_name is empty"
    if any(len(row.get(name, "").splitlines()) > 1 for name in ("full_name", "email", MANAGER)):
        # An unpaired quote swallows the next line, and so gives one person the gid of another.
        return "full_name or email spans several lines (a closing quote may be missing)"
    if row["asana_user_gid"] and not is_gid(row["asana_user_gid"]):
        return "asana_user_gid is not digits only (a spreadsheet may have turned it into 1.2E+15)"
    return ""


def _doubles(lines: Mapping[int, Employee]) -> dict[int, str]:
    """What is wrong with lines that contradict each other. We cannot tell which is right, so all of them are bad."""
    times = Counter(employee.employee_id for employee in lines.values())
    claims = shared_gids(lines.values())
    bad = {}
    for number, employee in lines.items():
        if employee.asana_user_gid in claims:
            who = dict.fromkeys(claims[employee.asana_user_gid])
            bad[number] = f"asana_user_gid {employee.asana_user_gid} is claimed by {', '.join(who)}"
        if times[employee.employee_id] > 1:
            bad[number] = f"employee_id {employee.employee_id} appears {times[employee.employee_id]} times"
    return bad
