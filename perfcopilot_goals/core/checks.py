"""What the checks say about a connection's slices, as pure functions.

A result has the exact count, shows the first ten ids and keeps the first thousand. Ids are gids and employee ids,
never a goal's text or a name.
`CHECKS` is the catalogue. A function's name is the sentence that is true while the check is green. Its docstring is the
check's description: what the ids are, and what to do. `Facts` has all that it reads.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from perfcopilot_goals.core.mapping import KNOWN_WORDS, map_status
from perfcopilot_goals.domain.ids import show_ids
from perfcopilot_goals.domain.limits import DESCRIPTION_CHARS, GOALS_PER_EMPLOYEE
from perfcopilot_goals.domain.sync import SLICE_TABLES

# The metadata of a check holds at most this many ids. Otherwise an event could have megabytes.
IDS_LISTED = 1_000
RAW, OWNED, SUBGOALS, ROWS, BLOCKS = SLICE_TABLES

# Asana's `status` field names colours while a goal is open, and the outcome once it is closed.
_COLOURS = {"green": "on_track", "yellow": "at_risk", "red": "off_track"}

# Columns by table.
Reads = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Facts:
    """What a check may look at: the columns that it reads from the slices, the roster's mapping, and the sync's notes.

    `hidden_subgoals` are counts by parent. `goals_before` is the number of goals in the workspace's list before this
    sync replaced it. `users_checked_at` is when the mapping was last compared with Asana's users. `mapping_conflicts`
    are the employees whose mapping that comparison contradicted.
    """

    slices: Mapping[str, pd.DataFrame]
    asana_user_of: Mapping[str, str | None]
    unread_subgoal_lists: list[str] = field(default_factory=list)
    hidden_subgoals: Mapping[str, int] = field(default_factory=dict)
    goals_before: int = 0
    mapping_conflicts: Sequence[str] = ()
    users_checked_at: dt.datetime | None = None


@dataclass(frozen=True)
class CheckResult:
    """How many ids break the check's sentence, which ones (the first thousand), and the limit if there is one.

    `as_of` is when the data was looked at, if that was not in the sync; "never" if nobody has looked yet.
    """

    count: int
    ids: list[str]
    limit: int | None = None
    as_of: str | None = None

    @property
    def passed(self) -> bool:
        return self.count == 0

    @property
    def shown(self) -> str:
        """The first ten ids as people read them, and how many more there are."""
        return show_ids(self.ids, self.count)


@dataclass(frozen=True)
class Check:
    """One entry of the catalogue: `reads` are the columns that it looks at, by table."""

    name: str
    table: str
    reads: Reads
    is_structural: bool
    description: str
    evaluate: Callable[[Facts], CheckResult]


CHECKS: list[Check] = []

_Evaluate = Callable[[Facts], CheckResult]


def _check(table: str, *, reads: Reads, structural: bool = False) -> Callable[[_Evaluate], _Evaluate]:
    """Enter a function into the catalogue under its own name. Its docstring becomes the description."""

    def enter(evaluate: _Evaluate) -> _Evaluate:
        description = " ".join((evaluate.__doc__ or "").split())
        CHECKS.append(Check(evaluate.__name__, table, reads, structural, description, evaluate))
        return evaluate

    return enter


def about_ids(ids: Iterable[object], limit: int | None = None) -> CheckResult:
    """The result of a check that these ids break."""
    every = [str(i) for i in ids]
    return CheckResult(len(every), every[:IDS_LISTED], limit)


@_check(RAW, reads={RAW: ["goal_gid"]})
def workspace_has_goals(facts: Facts) -> CheckResult:
    """The token sees at least one goal. If not: is the workspace right, and may the token's user see its goals?"""
    return CheckResult(int(facts.slices[RAW].empty), [])


@_check(RAW, reads={RAW: ["goal_gid"]})
def goals_did_not_collapse(facts: Facts) -> CheckResult:
    """How many goals are gone, if the list shrank to less than half since the last write.

    Did the token's user lose access to teams or private goals? If the goals are really gone, the next sync is green.
    """
    listed = len(facts.slices[RAW])
    return CheckResult(facts.goals_before - listed if 2 * listed < facts.goals_before else 0, [])


@_check(RAW, reads={RAW: ["goal_gid", "owner_gid"]})
def every_goal_has_an_owner(facts: Facts) -> CheckResult:
    """Goals without an owner reach nobody's review. Give them one in Asana."""
    raw = facts.slices[RAW]
    return about_ids(raw.loc[raw["owner_gid"].isna(), "goal_gid"])


@_check(RAW, reads={RAW: ["owner_gid"]})
def every_owner_is_an_employee(facts: Facts) -> CheckResult:
    """Asana users who own goals but are no employee of the roster, each with their number of goals.

    Map those who work here: perfcopilot-goals employee map, or the job match_employees.
    """
    known = {gid for gid in facts.asana_user_of.values() if gid}
    owners = facts.slices[RAW]["owner_gid"]
    strangers = Counter(gid for gid in owners if gid is not None and gid not in known)
    return about_ids(f"{gid}: {goals}" for gid, goals in strangers.most_common())


@_check(OWNED, reads={})
def every_employee_is_mapped(facts: Facts) -> CheckResult:
    """Employees who are not mapped to an Asana user have no goals and no block.

    See perfcopilot-goals employee unmapped, then map them: perfcopilot-goals employee map, or the job
    match_employees.
    """
    return about_ids(sorted(employee_id for employee_id, gid in facts.asana_user_of.items() if not gid))


@_check(OWNED, reads={})
def every_mapping_agrees_with_asana(facts: Facts) -> CheckResult:
    """Employees who may be mapped to somebody else's Asana user. If so, that person's goals are in their block.

    Their e-mail is another Asana user's, or their Asana user's e-mail is another employee's, at the moment shown. See
    perfcopilot-goals employee suggest or the job match_employees, and correct the mapping or the e-mail in the roster.
    """
    checked_at = facts.users_checked_at
    as_of = "never" if checked_at is None else checked_at.isoformat(timespec="seconds")
    return replace(about_ids(sorted(facts.mapping_conflicts)), as_of=as_of)


@_check(OWNED, reads={OWNED: ["employee_id", "owned_total", "truncated"]})
def no_employee_is_truncated(facts: Facts) -> CheckResult:
    """Employees who own more goals than the cap, each with the number. Only the first in Asana's order are used.

    Close or re-own goals in Asana, or read the review's draft with that in mind.
    """
    owned = facts.slices[OWNED]
    totals = owned.loc[owned["truncated"]].groupby("employee_id")["owned_total"].first()
    return about_ids((f"{employee_id}: {total}" for employee_id, total in totals.items()), GOALS_PER_EMPLOYEE)


@_check(OWNED, reads={RAW: ["goal_gid", "html_notes_chars"], OWNED: ["goal_gid"]})
def no_description_is_truncated(facts: Facts) -> CheckResult:
    """Owned goals whose description is longer than the part that is kept. The block does not use descriptions."""
    raw = facts.slices[RAW]
    cut = raw.loc[raw["html_notes_chars"].fillna(0) > DESCRIPTION_CHARS, "goal_gid"]
    return about_ids(cut[cut.isin(facts.slices[OWNED]["goal_gid"])], DESCRIPTION_CHARS)


@_check(SUBGOALS, reads={})
def every_subgoal_list_was_read(facts: Facts) -> CheckResult:
    """Owned goals whose list of sub-goals answered 403 or 404: deleted or hidden while the sync ran.

    They have no key results until the next sync. Run it again; if the goal stays here, check its privacy in Asana.
    """
    return about_ids(facts.unread_subgoal_lists)


@_check(SUBGOALS, reads={})
def no_subgoal_is_hidden(facts: Facts) -> CheckResult:
    """Owned goals with sub-goals that Asana hides from the token's user, each with the number of hidden ones.

    These are not among the goal's key results. Invite that user to the sub-goals, or use a service account's token.
    """
    return about_ids(f"{goal_gid}: {hidden}" for goal_gid, hidden in facts.hidden_subgoals.items())


@_check(ROWS, reads={ROWS: ["row_gid", "status_type"]})
def every_status_word_is_known(facts: Facts) -> CheckResult:
    """Rows with a status word that a review does not know. They count as on_track; look at them one by one."""
    rows = facts.slices[ROWS]
    return about_ids(rows.loc[rows["status_type"].notna() & ~rows["status_type"].isin(list(KNOWN_WORDS)), "row_gid"])


@_check(ROWS, reads={RAW: ["goal_gid", "asana_status"], ROWS: ["goal_gid", "kind", "status"]})
def status_agrees_with_asana(facts: Facts) -> CheckResult:
    """Goals whose latest status update differs from Asana's own status field. Post an update in Asana."""
    asana = dict(facts.slices[RAW][["goal_gid", "asana_status"]].itertuples(index=False, name=None))
    rows = facts.slices[ROWS]
    goals = rows.loc[rows["kind"] == "goal", ["goal_gid", "status"]].itertuples(index=False, name=None)
    differing = []
    for goal_gid, status in goals:
        word = asana.get(goal_gid)
        if word and status != _COLOURS.get(word, map_status(word)):
            differing.append(goal_gid)
    return about_ids(differing)


@_check(
    ROWS,
    reads={
        OWNED: ["goal_gid", "employee_id"],
        SUBGOALS: ["goal_gid", "subgoal_gid"],
        ROWS: ["goal_gid", "row_gid", "employee_id"],
    },
    structural=True,
)
def no_goal_was_lost(facts: Facts) -> CheckResult:
    """Every owned goal and every sub-goal is exactly one row of the goal's owner. If not, run the sync again."""
    owned, subgoals, rows = (facts.slices[name] for name in (OWNED, SUBGOALS, ROWS))
    owner = dict(zip(owned["goal_gid"], owned["employee_id"], strict=True))
    expected = Counter((gid, gid, employee_id) for gid, employee_id in owner.items())
    parents = zip(subgoals["goal_gid"], subgoals["subgoal_gid"], strict=True)
    expected.update((parent, child, owner.get(parent)) for parent, child in parents)
    found = Counter(zip(rows["goal_gid"], rows["row_gid"], rows["employee_id"], strict=True))
    # Whoever was unmapped since lost their rows at once; until the next sync, the tables before this one have theirs.
    missing = Counter(
        {row: count for row, count in (expected - found).items() if facts.asana_user_of.get(row[2] or "")}
    )
    # A row with the wrong employee counts once, though it is both missing and one too many.
    wrong = sorted({(goal_gid, row_gid) for goal_gid, row_gid, _ in missing + (found - expected)})
    return about_ids(row_gid for _, row_gid in wrong)


@_check(BLOCKS, reads={BLOCKS: ["employee_id"]}, structural=True)
def every_mapped_employee_has_a_block(facts: Facts) -> CheckResult:
    """Employees who are mapped but have no block yet: most were mapped while the sync ran. Run the sync again."""
    blocks = set(facts.slices[BLOCKS]["employee_id"])
    return about_ids(sorted(e for e, gid in facts.asana_user_of.items() if gid and e not in blocks))


@_check(BLOCKS, reads={BLOCKS: ["employee_id", "goals_owned", "truncated"]})
def no_block_is_truncated(facts: Facts) -> CheckResult:
    """Employees whose block does not list all their goals, each with the number they own. The block says so too."""
    blocks = facts.slices[BLOCKS]
    cut = blocks.loc[blocks["truncated"], ["employee_id", "goals_owned"]].itertuples(index=False, name=None)
    return about_ids((f"{employee_id}: {owned}" for employee_id, owned in cut), GOALS_PER_EMPLOYEE)
