"""A roster's file as spreadsheets save it: its encoding, and what separates its fields.

`roster` says what the fields mean.
"""

import codecs
import csv
import re
from collections.abc import Collection, Sequence

from perfcopilot_goals.errors import GoalsConfigError

DELIMITERS = ",;\t|"
SAVE_AS = 'Save it as "CSV UTF-8" and import it again'

_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# The first bytes of a workbook: .xlsx, and the older .xls.
_WORKBOOK_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
# A first line by which a spreadsheet says what separates the fields. It may be quoted and padded with delimiters.
_SEP_LINE = re.compile(r'"?sep=(?P<delimiter>[^"\r\n]*)"?(?P<rest>.*)', re.IGNORECASE)
_NAMES_SHOWN, _NAME_CHARS = 12, 40


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
    raise GoalsConfigError(f"{file_name} {problem}; nothing was imported", action=SAVE_AS)


def find_delimiter(text: str, columns: Collection[str]) -> tuple[str, int]:
    """What separates the fields, and how many lines are above the header: one if there is a line like `sep=;`.

    Without such a line, the delimiter is the one that finds the most of these columns in the header.
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
    return max(DELIMITERS, key=lambda delimiter: (_count_found(first, delimiter, columns), first.count(delimiter))), 0


def describe_header(values: Sequence[str], delimiter: str, columns: Collection[str]) -> str:
    """For an error: what the header has in place of these columns. Anything that may be personal data is left out."""
    shown = ["".join(filter(str.isprintable, value)).strip()[:_NAME_CHARS] for value in values]
    shown = [name for name in shown if name]
    text = " ".join(values)
    names_ours = [word for word in re.findall(r"\w+", text.lower()) if word in columns]
    if not shown:
        return "it is empty"
    if not names_ours and any(character == "@" or character.isdigit() for character in text):
        return "it looks like data; put the header in a line above it"
    if len(values) == 1 and len(names_ours) > 1:
        between = set(re.findall(rf"(?:{'|'.join(columns)})\b(\W+)", values[0], re.IGNORECASE))
        separator = _quote(between.pop()) if len(between) == 1 else "something unclear"
        return (
            f"its names are separated by {separator}, but it was read as separated by {_quote(delimiter)}; use a "
            "comma, semicolon, tab or pipe, or name the character in a line above the header, such as sep=;"
        )
    more = f" and {len(shown) - _NAMES_SHOWN} more" if len(shown) > _NAMES_SHOWN else ""
    return f"found: {', '.join(shown[:_NAMES_SHOWN])}{more}"


def _count_found(header: str, delimiter: str, columns: Collection[str]) -> int:
    try:
        names = {name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])}
    except csv.Error:
        return 0
    return len(names.intersection(columns))


def _quote(separator: str) -> str:
    """The separator, written so that an error can name it."""
    character = separator.strip()[:1]
    if not character:
        return "a tab" if "\t" in separator else "blanks"
    return f"'{character}'" if character.isprintable() else f"U+{ord(character):04X}"
