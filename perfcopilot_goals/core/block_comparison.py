"""Finds the block in a text, such as a review in which a draft was pasted, and compares it with the stored versions.

A line of the given block stands in a version, was changed from a line of one, or never existed. What stands in the
version and not in the given block is missing. Each line comes with the goal that it is about.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from typing import Any

from perfcopilot_goals.core.prompts import CLOSING, OPENING, parse_line
from perfcopilot_goals.domain.limits import LARGEST_FILE
from perfcopilot_goals.errors import GoalsConfigError

# Of a block's lines. They are compared one by one.
MOST_LINES = 20_000

# What became of a line.
STANDS, MOVED, OTHER_VERSION, CHANGED = "stands", "moved", "other_version", "changed"
NEVER_EXISTED, MISSING = "never_existed", "missing"

# Names that share fewer pairs of letters are two names.
CLOSE = 0.6
# Pairs of lines whose names are compared: some seconds. A block that differs in more than this is not one of ours.
_MOST_PAIRS = 1_000_000


@dataclass(frozen=True)
class Version:
    """A block as it was stored: what tells it from the others, its text, and its citations."""

    key: str
    text: str
    citations: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Line:
    """One line of a version. The gids are None where it is about no goal."""

    version: str
    place: int
    text: str
    goal_gid: str | None
    key_result_gid: str | None


@dataclass(frozen=True)
class LineResult:
    """What became of one line. `line` is its place in the given block, from 1, or None if it is missing there.

    `version` is the key of the version that has the line, or the closest one. `closest` is the text of that line, and
    `differs` what the given one has changed of it: `kind`, `status`, `name`; or only `blanks`.
    """

    line: int | None
    result: str
    text: str
    version: str | None = None
    closest: str | None = None
    differs: tuple[str, ...] = ()
    goal_gid: str | None = None
    key_result_gid: str | None = None

    @property
    def gid(self) -> str | None:
        """The key result that the line is about, or the goal; None if it is about neither."""
        return self.key_result_gid or self.goal_gid


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


def choose_version(block: str, versions: Sequence[Version]) -> Version | None:
    """The version that has the most lines of the block, the latest of these; versions come in their order."""
    given = Counter(block.split("\n"))
    shared = [(sum((given & Counter(version.text.split("\n"))).values()), n) for n, version in enumerate(versions)]
    return versions[max(shared)[1]] if shared else None


def compare_block(block: str, version: Version, others: Iterable[Version] = ()) -> list[LineResult]:
    """What became of each line of the block, measured by this version; then the lines that are missing.

    `others` are the other versions, the latest last: a line may stand in one of them, or come from it.
    """
    of_version = _lines(version)
    own = {line.text for line in of_version}
    elsewhere = {line.text: line for other in others for line in _lines(other) if line.text not in own}
    comparison = _Comparison(block.split("\n"))
    comparison.find_in_version(of_version)
    comparison.find_elsewhere(elsewhere)
    comparison.find_changed(comparison.missing)
    unused = elsewhere.keys() - set(comparison.given)
    comparison.find_changed([line for text, line in elsewhere.items() if text in unused])
    return comparison.line_results()


@dataclass
class _Comparison:
    """A comparison under way. Each step looks at the lines of the block that no earlier one found.

    `results` are by place in the block, from 0. `missing` are the lines of the version that were not found so far.
    """

    given: Sequence[str]
    results: dict[int, LineResult] = field(default_factory=dict)
    missing: list[Line] = field(default_factory=list)

    def find_in_version(self, of_version: Sequence[Line]) -> None:
        """The same lines, in order or moved."""
        placed = _place(self.given, of_version)
        in_order = _longest_rising(list(placed.values()))
        for at, place in placed.items():
            self.results[at] = _found(at, STANDS if place in in_order else MOVED, of_version[place])
        used = set(placed.values())
        self.missing = [line for place, line in enumerate(of_version) if place not in used]

    def find_elsewhere(self, elsewhere: Mapping[str, Line]) -> None:
        """The same lines in other versions. What this version says of the same goals is not missing then."""
        for at, text in self._unfound().items():
            if text in elsewhere:
                self.results[at] = _found(at, OTHER_VERSION, elsewhere[text])
                self.missing = _without_goal(self.missing, elsewhere[text])

    def find_changed(self, pool: Sequence[Line]) -> None:
        """The lines that were changed from one of these."""
        pairs = _pair_closest(self._unfound(), pool)
        self.results |= {at: _changed(at, self.given[at], line) for at, line in pairs.items()}
        paired = set(pairs.values())
        self.missing = [line for line in self.missing if line not in paired]

    def line_results(self) -> list[LineResult]:
        never = {at: LineResult(at + 1, NEVER_EXISTED, text) for at, text in self._unfound().items()}
        by_place = self.results | never
        gone = (replace(_found(0, MISSING, line), line=None) for line in self.missing)
        return [*(by_place[at] for at in range(len(self.given))), *gone]

    def _unfound(self) -> dict[int, str]:
        return {at: text for at, text in enumerate(self.given) if at not in self.results}


def _lines(version: Version) -> list[Line]:
    gids = {citation["line"]: (citation["goal_gid"], citation["key_result_gid"]) for citation in version.citations}
    return [
        Line(version.key, number, text, *gids.get(number, (None, None)))
        for number, text in enumerate(version.text.split("\n"), start=1)
    ]


def _place(given: Sequence[str], lines: Sequence[Line]) -> dict[int, int]:
    """By place in the given block, the place of the same line in the version. Equal lines are taken in order."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, line in enumerate(lines):
        places[line.text].append(place)
    placed = {}
    for at, text in enumerate(given):
        if places[text]:
            placed[at] = places[text].pop(0)
    return placed


def _longest_rising(places: Sequence[int]) -> set[int]:
    """The most of these that are in order as they stand: the others were moved."""
    tails: list[int] = []
    last: list[int] = []
    before: list[int | None] = []
    for n, place in enumerate(places):
        length = bisect_left(tails, place)
        tails[length:] = [place, *tails[length + 1 :]]
        last[length:] = [n, *last[length + 1 :]]
        before.append(last[length - 1] if length else None)
    rising = set()
    at = last[-1] if last else None
    while at is not None:
        rising.add(places[at])
        at = before[at]
    return rising


def _pair_closest(given: Mapping[int, str], pool: Sequence[Line]) -> dict[int, Line]:
    """For given lines, by place, the line that each was most likely changed from. The closest pairs are made first."""
    names = [_pairs_of_letters(parse_line(line.text).name) for line in pool]
    scores = []
    for at, text in islice(given.items(), _MOST_PAIRS // max(1, len(pool))):
        name = _pairs_of_letters(parse_line(text).name)
        for n, other in enumerate(names):
            score = 2 * len(name & other) / (len(name) + len(other))
            if score >= CLOSE:
                # Of equally close lines the one at the nearest place.
                scores.append((-score, abs(at + 1 - pool[n].place), at, n))
    pairs: dict[int, Line] = {}
    used: set[int] = set()
    for _, _, at, n in sorted(scores):
        if at not in pairs and n not in used:
            pairs[at] = pool[n]
            used.add(n)
    return pairs


def _pairs_of_letters(name: str) -> frozenset[str]:
    folded = f" {name.casefold()} "
    return frozenset(one + other for one, other in pairwise(folded))


def _without_goal(left: Sequence[Line], origin: Line) -> list[Line]:
    """The lines but for the one about the same goal or key result: the given block has it as of another version."""
    about = (origin.goal_gid, origin.key_result_gid)
    return [line for line in left if origin.goal_gid is None or (line.goal_gid, line.key_result_gid) != about]


def _found(at: int, result: str, line: Line) -> LineResult:
    return LineResult(at + 1, result, line.text, line.version, None, (), line.goal_gid, line.key_result_gid)


def _changed(at: int, text: str, line: Line) -> LineResult:
    is_, was = parse_line(text), parse_line(line.text)
    differs = tuple(name for name in ("kind", "status", "name") if getattr(is_, name) != getattr(was, name))
    if text.split() == line.text.split():
        differs = ("blanks",)
    return LineResult(at + 1, CHANGED, text, line.version, line.text, differs, line.goal_gid, line.key_result_gid)


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
