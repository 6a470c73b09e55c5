"""The `[GOALS]` block of a review's prompt.

A name is text by the person under review, bound for a language model. `safe_name` takes from it everything that could
start a line, forge the block's frame or hide from a reader; the rest of the module lays lines out. Whatever else may
one day reach a block goes through `safe_name` too.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import pandas as pd

from perfcopilot_goals.core.reasons import reason_of_block
from perfcopilot_goals.domain.block import BlockHistory
from perfcopilot_goals.domain.limits import GOALS_PER_EMPLOYEE
from perfcopilot_goals.errors import GoalsSchemaError
from perfcopilot_goals.schemas.tables import frame

NAME_CHARS = 300
OPENING, CLOSING = "[GOALS]", "[/GOALS]"

# Cc beside `\s`, which already covers the line and paragraph separators.
_GAPS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
# Printed as nothing although their category (Mn, Lo, So) says otherwise: variation selectors and fillers.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x180B, 0x180E), range(0x180F, 0x1810))
_DROPPED = frozenset({"Cf", "Cs", "Co", "Cn"})
_ROUND = {"[": "(", "]": ")"}


@dataclass(frozen=True)
class Line:
    """A goal or key result for a block: its gids (`key_result_gid` None for a goal), name and status."""

    goal_gid: str
    key_result_gid: str | None
    name: str
    status: str


@dataclass(frozen=True)
class Block:
    """The rendered block, and for each of its goal and key-result lines where it came from."""

    text: str
    citations: list[dict[str, object]]


def safe_name(name: str) -> str:
    """The name as it may stand in a block: one line, nothing invisible, no square bracket, at most 300 characters."""
    text = _GAPS.sub(" ", _compose(name)).strip()
    text = "".join(map(_safe_character, text))
    if len(text) > NAME_CHARS:
        text = text[: NAME_CHARS - 1] + "…"
    return text or "(untitled)"


def _compose(text: str) -> str:
    """The text in NFC.

    Marks are put into canonical order here, by a sort: `unicodedata` inserts them one by one, so that a name of a
    megabyte of accents takes it minutes, and one employee could hold up everybody's sync.
    """
    decomposed = (part for character in text for part in unicodedata.normalize("NFD", character))
    ordered: list[str] = []
    for _, run in groupby(decomposed, key=lambda part: unicodedata.combining(part) > 0):
        ordered += sorted(run, key=unicodedata.combining)
    return unicodedata.normalize("NFC", "".join(ordered))


@lru_cache(maxsize=4096)
def _safe_character(character: str) -> str:
    if character in _FILLERS or unicodedata.category(character) in _DROPPED:
        return ""
    if any(ord(character) in selectors for selectors in _SELECTORS):
        return ""
    # Fullwidth and vertical brackets fold to the square one under NFKC, which a later reader may well apply.
    return _ROUND.get(unicodedata.normalize("NFKC", character), character)


def render_block(lines: Iterable[Line], goals_owned: int) -> Block:
    """The block for one employee; `goals_owned` counts the goals beyond the cap too."""
    text = [OPENING]
    citations: list[dict[str, object]] = []
    goals_listed = 0
    for line in lines:
        bullet = "- " if line.key_result_gid is None else "  - KR: "
        text.append(f"{bullet}{safe_name(line.name)} (status: {line.status})")
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
    """Rows of `prompt_blocks`, one per employee id given, also for those with no goals."""
    block_history = block_history or BlockHistory()
    lines: dict[str, list[Line]] = {}
    columns = ["employee_id", "kind", "goal_gid", "row_gid", "name", "status"]
    for employee_id, kind, goal_gid, row_gid, name, status in mapped_rows.sort_values("position", kind="stable")[
        columns
    ].itertuples(index=False, name=None):
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
                "mapped_goal_rows disagree; nothing was written. Run the sync again"
            )
        block = render_block(listed, owned)
        reason = reason_of_block(
            owned, had_goals=employee_id in block_history.had_goals, is_gone=employee_id in block_history.gone
        )
        figures = (owned, goals, len(listed) - goals, owned > goals)
        rows.append((employee_id, block.text, *figures, block.citations, reason))
    return frame("prompt_blocks", rows)
