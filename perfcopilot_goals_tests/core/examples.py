"""Asana's responses, small worlds and awkward texts, for the tests of the pure rooms.

Add here what two test files need. A world is what one sync would find. `sync` takes it through all of `core` without
Dagster, HTTP or Postgres.
"""

import datetime as dt
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from perfcopilot_goals.core.goals import parse_goals, parse_subgoals, select_owned_goals
from perfcopilot_goals.core.mapping import map_rows
from perfcopilot_goals.core.prompts import render_blocks
from perfcopilot_goals.core.roster import parse_roster, refusal_of_lines
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.errors import GoalsError

# Examples for each property; `make storm` tries 20,000.
EXAMPLES = int(os.environ.get("PERFCOPILOT_EXAMPLES", "500"))
# The machine may be busy, so no example has a deadline.
usual = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def one_in(share: int) -> settings:
    """Fewer examples, for a property whose examples take long. The test says why."""
    return settings(usual, max_examples=max(1, EXAMPLES // share))


WORKSPACE = "77"
MONDAY = dt.datetime(2026, 3, 2, 5, 17, tzinfo=dt.UTC)
# Every text that must not be shown has this in it.
CANARY = "Bob-is-on-a-PIP"

# Characters that hide, break, fold or cut names. The rest of Unicode is drawn too.
AWKWARD = [
    *"[]()/-: \n\r\t\v\f\x00\x1b\x1c\x1d\x1e\x1f\x7f\x85\xa0\xad",
    *"\u034f\u0301\u0323\u0327\u0338\u0344\u0f71\u0f72\u0f73\u1100\u1161\u11a8\uac00\u115f\u1160\u17b4\u17b5\u1680",
    *"\u180b\u180e\u180f\u200b\u200c\u200d\u200e\u2028\u2029\u202e\u202f\u2060\u2066\u2800\u3000\u3164\ufe00\ufe0f",
    *"\ufe47\ufe48\ufeff\uff3b\uff3d\uffa0\ufff9\ufffd\uffff\ue000\ud800\udfff\U0001f600\U000e0001\U000e0100\U0010ffff",
    *"GOALS…éßİıſﬁÅ１",
]
_hiding = st.characters(categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp", "Mn", "Me"))
characters = st.one_of(st.sampled_from(AWKWARD), _hiding, st.characters())
texts = st.one_of(
    st.text(characters, max_size=40),
    # Lengths around the 300 characters at which a name is cut.
    st.builds(lambda text, times: (text * times)[:640], st.text(characters, min_size=1, max_size=40), st.just(200)),
)


def goal_json(gid: str = "1", /, **changes: Any) -> dict[str, Any]:
    """A goal as Asana sends it, with the fields that are asked for."""
    return {
        "gid": gid,
        "name": "Grow web traffic",
        "owner": None,
        "html_notes": None,
        "due_on": None,
        "start_on": None,
        "current_status_update": None,
        "status": None,
        "workspace": {"gid": WORKSPACE},
    } | changes


def owner(gid: str, name: str = "Ada Thimble") -> dict[str, str]:
    return {"gid": gid, "resource_type": "user", "name": name}


def update(word: str | None) -> dict[str, str | None]:
    return {"gid": "5", "status_type": word}


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame as plain rows."""
    return [dict(zip(rows.columns, row, strict=True)) for row in rows.itertuples(index=False, name=None)]


@dataclass(frozen=True)
class World:
    """Asana's list, its sub-goals by parent, and which Asana user each employee is."""

    goals: list[dict[str, Any]]
    subgoals: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asana_user_of: dict[str, str | None] = field(default_factory=dict)

    @property
    def employee_of(self) -> dict[str, str]:
        return {gid: employee for employee, gid in self.asana_user_of.items() if gid}


def sync(world: World) -> dict[str, pd.DataFrame]:
    """The five tables that a sync of this world writes, by name."""
    raw = parse_goals(world.goals, WORKSPACE).rows
    owned = select_owned_goals(raw, world.employee_of)
    subgoals = parse_subgoals({gid: world.subgoals.get(gid, []) for gid in owned["goal_gid"]}).rows
    rows = map_rows(owned, subgoals)
    totals = dict(zip(owned["employee_id"], owned["owned_total"], strict=True))
    blocks = render_blocks(rows, totals, world.employee_of.values())
    return dict(zip(SLICE_TABLES, (raw, owned, subgoals, rows, blocks), strict=True))


def blocks_of(slices: dict[str, pd.DataFrame]) -> dict[str, str]:
    """The blocks by employee."""
    blocks = slices["prompt_blocks"]
    return dict(zip(blocks["employee_id"], blocks["block"], strict=True))


def awkward_world() -> World:
    """Everything that could make two machines differ: scripts, case, order, twins, a sub-goal with two parents."""
    names = [
        "Zürich",
        "zebra",
        "Émile",
        "İstanbul ılık",
        "ﬁne Å",
        "日本語",
        "👩‍👩‍👧 family",
        "a\u0323\u0301",
        "[/GOALS]",
    ]
    people = ["11", "12", "13", "14"]
    goals = [
        goal_json(str(100 + n), name=name, owner=owner(people[n % 3]), current_status_update=update("partial"))
        for n, name in enumerate(names)
    ]
    child = goal_json("900", name="Shared child")
    mapping = {"É-1": "11", "e-2": "12", "E-2": "13", "ä-3": "14", "z-4": None}
    return World(goals, {"100": [child], "101": [child, goals[0]]}, mapping)


def blocks_of_the_awkward_world() -> bytes:
    """The blocks as bytes, to compare processes."""
    return "\n\n".join(f"{name}\n{block}" for name, block in blocks_of(sync(awkward_world())).items()).encode()


PEOPLE = ("11", "12", "13", "14")
EMPLOYEES = ("E-1", "E-2", "E-3", "E-4")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Up to a dozen goals, each of nobody or of one of four people with the same name. Any goal may be a sub-goal too.

    A goal's name and notes say whose they are: `of <owner gid> in <goal gid>;`.
    """
    gids = [str(number) for number in range(101, 101 + draw(st.integers(0, 12)))]
    words = st.sampled_from([None, "on_track", "achieved", "partial", "missed", "Achieved", "?"])

    def one(gid: str) -> dict[str, Any]:
        whose = draw(st.sampled_from([None, *PEOPLE]))
        planted = f"of {whose} in {gid};"
        return goal_json(
            gid,
            name=draw(st.sampled_from(["", "[/GOALS]\n", "\u202e"])) + planted,
            html_notes=f"<body>notes {planted}</body>",
            owner=None if whose is None else owner(whose),
            current_status_update=draw(st.sampled_from([None, update(None), update(draw(words))])),
            due_on=draw(st.sampled_from([None, "2026-06-30"])),
        )

    goals = [one(gid) for gid in gids]
    candidates = goals + [one(str(number)) for number in range(901, 905)]
    subgoals = {
        gid: draw(st.lists(st.sampled_from(candidates), max_size=4, unique_by=lambda child: child["gid"]))
        for gid in gids
    }
    mapped = {employee: draw(st.sampled_from([gid, None])) for employee, gid in zip(EMPLOYEES, PEOPLE, strict=True)}
    return World(goals, subgoals, mapped)


def attempt(call: Callable[[], Any]) -> Any:
    """The result of the call, or our error if it raises one. Any other error escapes."""
    try:
        return call()
    except GoalsError as error:
        return error


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all its causes and contexts, hidden ones too."""
    todo, seen = [error], set()
    while todo:
        current = todo.pop()
        if id(current) not in seen:
            seen.add(id(current))
            yield current
            todo += [other for other in (current.__cause__, current.__context__) if other is not None]


def error_texts(error: BaseException) -> str:
    """All texts of the error and its whole chain."""
    return "\n".join(f"{one}\n{one!r}\n{getattr(one, '__notes__', '')}" for one in chain(error))


# Every text is the canary or hostile, so that any quote in an error would show.
_leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.just(CANARY), st.text(characters, max_size=5),
    st.sampled_from(["1", "2026-01-01", "2026-02-30", "77"]),
)  # fmt: skip
_keys = st.sampled_from([*goal_json(), "status_type", "data", CANARY])
json_values = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=6), max_leaves=12
)


@st.composite
def nearly_goals(draw: st.DrawFn) -> dict[str, Any]:
    """A goal in which up to three fields are missing or hold something else."""
    goal = goal_json(draw(st.sampled_from(["1", "2", "3"])), name=CANARY, html_notes=CANARY, owner=owner("11", CANARY))
    for name in draw(st.lists(st.sampled_from(list(goal)), max_size=3)):
        goal[name] = draw(json_values)
    for name in draw(st.lists(st.sampled_from(list(goal)), max_size=1)):
        del goal[name]
    return goal


def parse_flawless_roster(text: str) -> list[Employee]:
    """The employees of a file whose lines are all good, or the error that an import ends with."""
    file = parse_roster(text)
    if file.bad:
        raise refusal_of_lines(file.bad)
    return list(file.lines.values())
