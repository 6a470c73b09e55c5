"""The block found in a text that somebody gives us."""

import pytest

from perfcopilot_goals.core.block_comparison import MOST_LINES, find_block
from perfcopilot_goals.core.prompts import LineParts, parse_line
from perfcopilot_goals.domain.limits import LARGEST_FILE
from perfcopilot_goals.errors import GoalsConfigError

BLOCK = "[GOALS]\n- Goal (status: at_risk): Grow – über 30 %\n  - KR (status: on_track): Publish ten posts\n[/GOALS]"


@pytest.mark.parametrize(
    "content",
    [
        BLOCK.encode(),
        f"Dear all,\n\nthis is it:\n{BLOCK}\n\nRegards".encode(),
        b"\xef\xbb\xbf" + BLOCK.replace("\n", "\r\n").encode(),
        BLOCK.replace("\n", "\r").encode(),
        f"\ufeffreview\r\n{BLOCK}".encode("utf-16-le"),
        BLOCK.encode("utf-16"),
        f"the draft: {BLOCK} and more".encode(),
        ("intro\n> " + BLOCK.replace("\n", "\n> ")).encode(),
        ("\t" + BLOCK.replace("\n", "\n\t")).encode(),
    ],
    ids=[
        "bare",
        "in a letter",
        "CRLF and BOM",
        "CR",
        "UTF-16",
        "UTF-16 with its mark",
        "in a line",
        "quoted",
        "tabbed",
    ],
)
def test_a_block_is_found_whatever_stands_around_it(content: bytes) -> None:
    assert find_block(content) == BLOCK


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "has no block"),
        (b"Nothing here", "has no block"),
        (b"[GOALS]\n- Goal", "has no single whole block: 1 times"),
        (b"[/GOALS]\n[GOALS]", "has no single whole block"),
        (f"{BLOCK}\n{BLOCK}".encode(), "2 times [GOALS], 2 times [/GOALS]"),
        (b"\xff\xfe\xff", "is not text"),
        (b"[GOALS]\xe9[/GOALS]", "is not text"),
        (b"x" * (LARGEST_FILE + 1), "is larger than 8 MiB"),
        (b"[GOALS]" + b"\n" * (MOST_LINES + 1) + b"[/GOALS]", "more than 20,000 lines"),
    ],
    ids=["empty", "none", "open", "reversed", "two", "cut UTF-16", "Latin-1", "large", "many lines"],
)
def test_a_file_without_one_whole_block_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(GoalsConfigError, match=why.replace("[", r"\[")) as refused:
        find_block(content)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


def test_a_line_is_parted_at_its_first_status_so_a_name_can_claim_none() -> None:
    assert parse_line("- Goal (status: at_risk): Hire (status: completed): two") == LineParts(
        "- Goal", "at_risk", "Hire (status: completed): two"
    )
    assert parse_line("- (no goals)") == LineParts(None, None, "- (no goals)")
