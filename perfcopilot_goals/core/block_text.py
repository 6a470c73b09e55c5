"""Finds the block in a text that somebody gives us, such as a review in which the draft was pasted."""

import re
from dataclasses import dataclass

from perfcopilot_goals.core.prompts import CLOSING, GOAL, KEY_RESULT, OPENING
from perfcopilot_goals.domain.limits import LARGEST_FILE
from perfcopilot_goals.errors import GoalsConfigError

# Of a block's lines. They are compared one by one.
MOST_LINES = 20_000

_LINE = re.compile(rf"({re.escape(GOAL)}|{re.escape(KEY_RESULT)}) \(status: ([a-z_]+)\): (.*)")


@dataclass(frozen=True)
class LineParts:
    """What a line of a block says. `kind` and `status` are None if it does not have a line's form."""

    kind: str | None
    status: str | None
    name: str


def parse_line(line: str) -> LineParts:
    """The parts of a line; a line of another form is all name."""
    found = _LINE.fullmatch(line)
    return LineParts(*found.groups()) if found else LineParts(None, None, line)


def find_block(content: bytes) -> str:
    """The block in this file, with line feeds between its lines, from `[GOALS]` to `[/GOALS]`.

    The text around it does not matter, nor do a byte order mark and the kind of line breaks. If each line of the block
    is indented or quoted in the same way, that is taken off. `GoalsConfigError` if there is not exactly one block.
    """
    if len(content) > LARGEST_FILE:
        raise _refused(f"is larger than {LARGEST_FILE // 1024 // 1024} MiB")
    text = _decode(content).replace("\r\n", "\n").replace("\r", "\n")
    openings, closings = text.count(OPENING), text.count(CLOSING)
    start, end = text.find(OPENING), text.find(CLOSING)
    if not openings and not closings:
        raise _refused(f"has no block: neither {OPENING} nor {CLOSING} is in it")
    if (openings, closings) != (1, 1) or end < start:
        raise _refused(f"has no single whole block: {openings} times {OPENING}, {closings} times {CLOSING}")
    lead = text[text.rfind("\n", 0, start) + 1 : start]
    first, *others = text[start : end + len(CLOSING)].split("\n")
    if len(others) > MOST_LINES:
        raise _refused(f"has a block of more than {MOST_LINES:,} lines")
    if lead and not lead.strip(" \t>|") and all(line.startswith(lead) for line in others):
        others = [line.removeprefix(lead) for line in others]
    return "\n".join([first, *others])


def _decode(content: bytes) -> str:
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        pass
    # Raised outside the except block: the library's error holds the file's bytes, and would be kept as the context.
    raise _refused("is not text in UTF-8 or UTF-16")


def _refused(why: str) -> GoalsConfigError:
    return GoalsConfigError(
        f"the file with the block {why}; nothing was compared",
        action=f"Give a text file with one block in it, from {OPENING} to {CLOSING}",
    )
