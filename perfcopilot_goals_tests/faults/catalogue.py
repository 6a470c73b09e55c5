"""The faults that the program must survive, and the page that says which tests cover each: `docs/faults.md`.

A test covers a fault if the fault's id is in its name, begins the id of a parameter, or is given to
`@pytest.mark.fault`. `pytest -k A5` runs the tests of A5. A fault that cannot happen here has its reason in `RULED_OUT`
instead. `python -m perfcopilot_goals_tests.faults.catalogue` writes the page.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "faults.md"

_IN_A_NAME = re.compile(r"(?<=_)[A-Ha-h][0-9]+(?=_|$)")
_AT_THE_START = re.compile(r"^[A-H][0-9]+(?![0-9A-Za-z])")

GROUPS = {
    "A": "HTTP and transport",
    "B": "What Asana may mean",
    "C": "Shape, Unicode, size",
    "D": "Configuration",
    "E": "Postgres",
    "F": "Death and concurrency",
    "G": "Dagster",
    "H": "Security and privacy",
}

FAULTS = {
    "A1": "A body shorter than its Content-Length",
    "A2": "A reset in the middle of a body",
    "A3": "A chunked body without its end",
    "A5": "A gzip stream that was cut",
    "A7": "A body, or headers, dripping byte by byte",
    "A8": "Headers, and then nothing",
    "A9": "No response at all",
    "A10": "429 with Retry-After",
    "A11": "A Retry-After beyond the sync's deadline",
    "A12": "A Retry-After that is not a number of seconds",
    "A14": "429 without Retry-After",
    "A15": "429 without end, many workers at once",
    "A16": "500, 502, 503, 504, then a good response",
    "A18": "A redirect to another host",
    "A19": "A redirect to a login page; HTML with status 200",
    "A20": "An empty body, 204, or JSON that is not an object",
    "A21": "A small body that unpacks to a huge one",
    "A22": "JSON nested far too deep",
    "A26": "A wrong charset header",
    "A28": "No such host, a refused port, a certificate that is not valid",
    "A29": "Proxies, certificate bundles and .netrc in the environment",
    "A30": "A kept-alive line that the server has closed",
    "A40": "A company's proxy as the only way out",
    "A41": "A proxy that refuses the user, the password or the destination",
    "A42": "A proxy that is out of reach or broken; Asana out of reach without one",
    "A43": "A certificate of an unknown issuer, for another name, expired, or not valid yet",
    "A44": "SSL_CERT_FILE names no certificates",
    "A45": "A TLS handshake that stalls or drips",
    "A46": "The proxy's password in a log, an error or a shown setting",
    "A47": "A host that neither takes nor refuses connections",
    "B1": "401 on the first page",
    "B2": "401 on a later page",
    "B3": "402, 403, 404 on the workspace",
    "B4": "An offset that expired",
    "B5": "An offset that repeats",
    "B6": "Two offsets in turn; new offsets without end",
    "B7": "A short or an empty page that is not the last",
    "B8": "next_page points to another host",
    "B9": "A goal on two pages",
    "B11": "No goals where there were some",
    "B13": "No goals in the first sync ever",
    "B14": "A goal without an owner",
    "B15": "Two people of one name; a person renamed",
    "B20": "A field too many, a field gone, an Asana-Change header",
    "B22": "A goal from another workspace",
    "B23": "One token for several connections",
    "B30": "Every list of sub-goals is refused, some with other messages",
    "B31": "Many lists are refused that had sub-goals last time",
    "B32": "Sub-goals that Asana lists without showing them",
    "B33": "A route that is gone while goals are hidden, deleted or refused by the other",
    "B40": "Employees who are mapped to each other's Asana users",
    "B41": "The users of the workspace cannot be listed, though its goals can",
    "B42": "Two addresses that only casefold makes equal",
    "B43": "A wrong workspace that is corrected after its users were checked",
    "C1": "U+0000 in a name",
    "C2": "A lone surrogate in a name",
    "C3": "A gid that came as a number",
    "C4": "A gid with leading zeros",
    "C6": "pandas' NaT on its way to Postgres",
    "C7": "NaN on its way to a text column",
    "C8": "Nulls in typed columns",
    "C10": "The word false in a boolean column",
    "C12": "A date with a time and a zone",
    "C16": "No rows at all",
    "C18": "A name of a megabyte",
    "C19": "Every character that some reader takes for the end of a line",
    "C20": "Zero-width, bidirectional and tag characters",
    "C21": "Invisible characters that count as printable",
    "C22": "Names that turn into the block's frame only when they are normalized",
    "C26": "A gid twice in one batch",
    "C27": "A gid in two connections",
    "C30": "A name that claims a status, or to be a goal or a key result",
    "C31": "Hidden characters between blanks or before a mark",
    "C32": "A request whose fields or parameters Asana refuses",
    "C33": "A null name, a bad date, an owner without a gid: the error names request, object and field",
    "D1": "The token is unset, empty or blank",
    "D2": "The token ends in a line feed",
    "D4": "A base URL that leads elsewhere",
    "D5": "A database URL that is malformed",
    "D6": "A hostile name of a database schema",
    "D8": "An unknown setting",
    "D10": "A bad cron expression",
    "D11": "A database of another encoding, version or schema",
    "D20": "Quotes, Bearer, brackets, a byte-order mark, invisible characters or several lines around a token",
    "D21": "A token reference that leads to the program's own files",
    "D22": "A token reference to a variable with another secret",
    "D23": "A token file that is a FIFO, a device, a folder, a kernel file, or too large",
    "D24": "A workspace GID that is wrong, or that the token does not list",
    "D25": "A connection without employees",
    "D26": "A roster with tabs, pipes, or the separator that its first line `sep=` names",
    "D27": "A roster with other column names, with other separators, or without a header",
    "D28": "A roster in UTF-16, in another encoding, or as a workbook",
    "D29": "A browser's address in place of the GID",
    "D30": "A rate limit of zero, or far too high",
    "D31": "A sync that waits for the token in silence",
    "E1": "Postgres is down before the start",
    "E2": "Postgres goes down between fetch and load",
    "E3": "The backend is terminated between DELETE and COPY",
    "E4": "The line is cut around COMMIT",
    "E5": "A backend is killed in a transaction",
    "E6": "Postgres stops at once in the middle of a load",
    "E8": "Another session holds the lock",
    "E9": "A transaction left open while Asana is asked",
    "E10": "The disk becomes full at some row",
    "E11": "A deadlock, a serialization failure",
    "E14": "TRUNCATE instead of DELETE",
    "E15": "A reader joins two tables during a replace",
    "E17": "A constraint refuses a row",
    "E22": "Tabs, backslashes and quotes in a load",
    "E24": "A migration that is interrupted, repeated, or run by two processes",
    "E30": "A database that is starting up, or wakes slowly",
    "E31": "A wrong password, an unknown user or database, a limit of connections",
    "E32": "TLS that one side requires and the other does not offer",
    "E33": "A host that does not resolve, a closed port, a server that is not Postgres",
    "E34": "A connection pooler in session mode",
    "E35": "A connection pooler in transaction mode",
    "F1": "SIGKILL at any moment",
    "F2": "SIGTERM or Ctrl-C at any moment",
    "F3": "SIGTERM while waiting",
    "F4": "Two syncs of one connection at once",
    "F6": "A sync that was paused while another finished",
    "F7": "An older fetch that commits later",
    "F8": "Two connections at once",
    "F9": "A manual sync beside a scheduled one",
    "F10": "A block is rendered while rows are replaced",
    "G1": "The run's process is killed",
    "G2": "The whole machine loses power",
    "G4": "The daemon was down during some ticks",
    "G5": "A tick is evaluated twice",
    "G6": "Retries that multiply",
    "G8": "A backfill of many connections with one token",
    "G9": "A partition key that is no connection",
    "G10": "One connection of several fails",
    "G11": "The code location does not load",
    "G13": "Dagster's event log is locked or down",
    "H1": "The token typed as plain configuration",
    "H2": "A resource in a log line",
    "H3": "Any failure: what is printed and stored",
    "H4": "A schema error that quotes values",
    "H5": "Dagster's own redaction as the only protection",
    "H6": "Goals pickled to disk",
    "H7": "Goals in metadata",
    "H8": "Who may read the state folder",
    "H9": "Wire debugging",
    "H10": "The web server on a public interface",
    "H12": "What the loader's role may do",
    "H15": "Names that are instructions or markup",
    "H16": "Such text in other fields that get into a block",
    "H17": "Another person's block",
    "H20": "Erasing a person",
    "H21": "Retention",
    "H23": "Telemetry",
    "H24": "The supply chain",
    "H26": "The token on a command line or in a file of the repository",
    "H27": "An error body that quotes the request",
    "H28": "A name that forges log lines",
    "H30": "An erased person in a sensor's cursor, or in other JSON within a string",
    "H31": "Ticks of sensors and schedules that are kept for ever",
    "H32": "A webhook with a secret in its query, or to another host than it seems",
    "H33": "An id that would notify a whole channel",
    "H34": "Escape sequences and line breaks in names, bound for a terminal",
    "H35": "A terminal or pipe that is not UTF-8, and a reader that closes the pipe",
}

RULED_OUT = {
    "D6": "The schema's name is a constant of the program; nobody can set it.",
}


Tests = dict[str, set[str]]  # a test's file and name -> the faults that it covers


def collect_tests() -> Tests:
    """Every test function with the faults that it covers."""
    found: Tests = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        values = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                decorators = [*node.decorator_list]
                parts = [part for decorator in decorators for part in ast.walk(decorator)]
                used = {part.id for part in parts if isinstance(part, ast.Name)}
                decorators += [values[name] for name in used if name in values]
                faults = {fault.upper() for fault in _IN_A_NAME.findall(node.name)}
                faults |= {fault for decorator in decorators for fault in _named_by(decorator)}
                found[f"{path.relative_to(TESTS)}::{node.name}"] = faults
    return found


def _named_by(expression: ast.expr) -> Iterator[str]:
    """The faults in the arguments of `mark.fault`, and at the start of the ids of parameters."""
    for call in ast.walk(expression):
        if isinstance(call, ast.Call):
            ids = [keyword.value for keyword in call.keywords if keyword.arg in ("id", "ids")]
            strings = call.args if ast.unparse(call.func).endswith("mark.fault") else ids
            for constant in (node for string in strings for node in ast.walk(string)):
                if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                    yield from _AT_THE_START.findall(constant.value)


def tests_of(fault: str, tests: Tests) -> list[str]:
    """The tests that cover this fault."""
    return [test for test, faults in tests.items() if fault in faults]


def render(tests: Tests) -> str:
    """The page as Markdown."""
    lines = [
        "# What the program survives",
        "",
        "Written from the tests by `make docs`. `pytest -k A5` runs the tests of A5.",
        "",
    ]
    for letter, group in GROUPS.items():
        lines += [f"## {group}", "", "| | fault | covered by |", "|---|---|---|"]
        for fault, what in FAULTS.items():
            if fault[0] == letter:
                held = [f"`{test}`" for test in tests_of(fault, tests)]
                lines.append(f"| {fault} | {what} | {'<br>'.join(held) or RULED_OUT.get(fault, '**nothing yet**')} |")
        lines.append("")
    return "\n".join(lines)


def unheld(tests: Tests) -> list[str]:
    """Faults that have neither a test nor a reason."""
    return [fault for fault in FAULTS if not tests_of(fault, tests) and fault not in RULED_OUT]


if __name__ == "__main__":
    PAGE.write_text(render(collect_tests()), "utf-8")
