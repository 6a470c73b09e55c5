"""The `[GOALS]` block of a review's prompt, and why it is as it is.

The person under review writes the names, and a language model reads them. `safe_name` makes a name safe: it cannot
begin a line, forge the block's frame or hide from a reader. The rest of the module lays out the lines. Kind and status
stand before the name, so that nothing in a name can pass for ours. Any other free text that reaches a block one day
must pass through `safe_name` too.

`domain.block` has the words for why a block is as it is. If people ask about an empty block and no word answers them,
add one there and here.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import pandas as pd

from perfcopilot_goals.domain.block import BLOCK_REASONS, BlockHistory
from perfcopilot_goals.domain.limits import GOALS_PER_EMPLOYEE
from perfcopilot_goals.errors import GoalsSchemaError
from perfcopilot_goals.schemas.tables import frame

NAME_CHARS = 300
OPENING, CLOSING = "[GOALS]", "[/GOALS]"
GOAL, KEY_RESULT = "- Goal", "  - KR"
_LINE = re.compile(rf"({re.escape(GOAL)}|{re.escape(KEY_RESULT)}) \(status: ([a-z_]+)\): (.*)")

# Category Cc and `\s`, which already covers the line and paragraph separators.
_GAPS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
# Variation selectors and fillers. They print nothing, although their category (Mn, Lo, So) says otherwise.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x180B, 0x180E), range(0x180F, 0x1810))
_INVISIBLE = frozenset({"Cf", "Cs", "Co", "Cn"})
_ROUND = str.maketrans("[]", "()")


@dataclass(frozen=True)
class Line:
    """A goal or key result for a block: its gids, name and status. `key_result_gid` is None for a goal."""

    goal_gid: str
    key_result_gid: str | None
    name: str
    status: str


@dataclass(frozen=True)
class LineParts:
    """What a line of a block says. `kind` and `status` are None if it does not have a line's form."""

    kind: str | None
    status: str | None
    name: str


@dataclass(frozen=True)
class Block:
    """The rendered block, and for each goal or key-result line which goal it is about."""

    text: str
    citations: list[dict[str, object]]


def safe_name(name: str) -> str:
    """The name as it may stand in a block: one line, nothing invisible, no square bracket, at most 300 characters.

    The order of the steps matters: no step brings back what an earlier one removed. Invisible characters go first. So
    the characters that they kept apart can compose, and the blanks around them become one.
    """
    text = "".join(character for character in name if not _is_invisible(character))
    text = _GAPS.sub(" ", _compose(text)).strip()
    text = "".join(map(_without_square_bracket, text))
    if len(text) > NAME_CHARS:
        text = text[: NAME_CHARS - 1] + "…"
    return text or "(untitled)"


@lru_cache(maxsize=4096)
def _is_invisible(character: str) -> bool:
    is_filler = character in _FILLERS or any(ord(character) in selectors for selectors in _SELECTORS)
    return is_filler or unicodedata.category(character) in _INVISIBLE


def _compose(text: str) -> str:
    """The text in NFC.

    Marks are sorted into canonical order here. `unicodedata` inserts them one by one, which takes minutes for a name
    of a megabyte of accents: one employee could hold up everybody's sync.
    """
    decomposed = (part for character in text for part in unicodedata.normalize("NFD", character))
    ordered: list[str] = []
    for _, run in groupby(decomposed, key=lambda part: unicodedata.combining(part) > 0):
        ordered += sorted(run, key=unicodedata.combining)
    return unicodedata.normalize("NFC", "".join(ordered))


@lru_cache(maxsize=4096)
def _without_square_bracket(character: str) -> str:
    """The character; the round bracket if it is a square one, or becomes one under NFKC, which a reader may apply."""
    folded = unicodedata.normalize("NFKC", character)
    return folded.translate(_ROUND) if "[" in folded or "]" in folded else character


def parse_line(line: str) -> LineParts:
    """The parts of a line; a line of another form is all name."""
    found = _LINE.fullmatch(line)
    return LineParts(*found.groups()) if found else LineParts(None, None, line)


def render_block(lines: Iterable[Line], goals_owned: int) -> Block:
    """The block for one employee. `goals_owned` includes the goals beyond the cap."""
    text = [OPENING]
    citations: list[dict[str, object]] = []
    goals_listed = 0
    for line in lines:
        kind = GOAL if line.key_result_gid is None else KEY_RESULT
        text.append(f"{kind} (status: {line.status}): {safe_name(line.name)}")
        citations.append({"line": len(text), "goal_gid": line.goal_gid, "key_result_gid": line.key_result_gid})
        goals_listed += line.key_result_gid is None
    if goals_owned > goals_listed:
        text.append(f"- ({goals_listed} of {goals_owned} goals listed; the list was truncated)")
    elif not goals_listed:
        text.append("- (no goals)")
    return Block("\n".join([*text, CLOSING]), citations)


def render_blocks(
    mapped_rows: pd.DataFrame,
    goals_owned: Mapping[str, int],
    employee_ids: Iterable[str],
    block_history: BlockHistory | None = None,
) -> pd.DataFrame:
    """Rows of `prompt_blocks`: one for each of these employee ids, with or without goals."""
    block_history = block_history or BlockHistory()
    lines: dict[str, list[Line]] = {}
    ordered = mapped_rows.sort_values("position", kind="stable")
    columns = ["employee_id", "kind", "goal_gid", "row_gid", "name", "status"]
    for employee_id, kind, goal_gid, row_gid, name, status in ordered[columns].itertuples(index=False, name=None):
        line = Line(goal_gid, row_gid if kind == "key_result" else None, name, status)
        lines.setdefault(employee_id, []).append(line)

    rows = []
    for employee_id in sorted(employee_ids):
        listed = lines.get(employee_id, [])
        owned = goals_owned.get(employee_id, 0)
        goals = sum(line.key_result_gid is None for line in listed)
        if goals != min(owned, GOALS_PER_EMPLOYEE):
            raise GoalsSchemaError(
                f"employee {employee_id} owns {owned} goals and {goals} would be listed: owned_goals and "
                "mapped_goal_rows disagree; no block was changed",
                action="Run the sync again: perfcopilot-goals sync {connection}",
            )
        block = render_block(listed, owned)
        reason = reason_of_block(
            owned, had_goals=employee_id in block_history.had_goals, is_gone=employee_id in block_history.gone
        )
        counts = (owned, goals, len(listed) - goals, owned > goals)
        rows.append((employee_id, block.text, *counts, block.citations, reason))
    return frame("prompt_blocks", rows)


def reason_of_block(goals_owned: int, *, had_goals: bool, is_gone: bool) -> str:
    """The reason that is stored with a block; `BlockHistory` says what the two facts mean."""
    if goals_owned > GOALS_PER_EMPLOYEE:
        return "truncated"
    if goals_owned:
        return "ok"
    if is_gone:
        return "asana_user_gone"
    return "had_goals_before" if had_goals else "owns_no_goals"


def reason_now(block_reason: str | None, *, is_mapped: bool, is_gone: bool) -> str:
    """The reason by what is known now, which may be more than when the block, if there is one, was made."""
    if not is_mapped:
        return "unmapped"
    if block_reason in (None, "ok", "truncated"):
        return block_reason or "not_synced"
    if is_gone:
        return "asana_user_gone"
    return "owns_no_goals" if block_reason == "asana_user_gone" else str(block_reason)


def count_reasons(reasons: Iterable[str]) -> dict[str, int]:
    """How many employees each reason has. Zeros are included, so that plots have no gaps."""
    counts = Counter(reasons)
    return {f"reason_{reason}": counts[reason] for reason in BLOCK_REASONS}
