"""Who an employee may be in Asana: compares the roster's unmapped employees with the workspace's users.

Only an e-mail that is the same and unique on both sides is sure enough to be applied. A wrong match puts one person's
goals into another's review. So everything else is a hint for a person to decide on, or a collision for a person to
resolve. Add a rule here when people look for a match by another sign. Unless it can never be wrong, it is a hint.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from perfcopilot_goals.core.responses import Response, by_gid, parse_optional_text, response_to
from perfcopilot_goals.domain.employee import Employee, address_of
from perfcopilot_goals.domain.ids import show_ids

EXACT, HINT, COLLISION, NOTHING = KINDS = ("exact", "hint", "collision", "nothing")

# Names at least as similar as the first are worth a look. Below the second, even an exact e-mail needs one.
SIMILAR, DISSIMILAR = 0.85, 0.5


@dataclass(frozen=True)
class AsanaUser:
    """A user of the workspace. `email` is None if Asana does not show it."""

    gid: str
    name: str
    email: str | None


@dataclass(frozen=True)
class Suggestion:
    """What we found for one unmapped employee.

    `gid` is None if nobody fits, or if several do; then `why` names them. `score` is the similarity of the names, if
    those decided.
    """

    employee_id: str
    full_name: str
    kind: str
    gid: str | None
    asana_name: str | None
    score: float | None
    why: str


def parse_users(responses: Iterable[Response]) -> list[AsanaUser]:
    """The users of Asana's list, each once."""
    with response_to("GET /users"):
        return [_parse_user(gid, user) for gid, user in by_gid(responses).items()]


def _parse_user(gid: str, user: Response) -> AsanaUser:
    email = parse_optional_text(user, "email") if "email" in user else None
    return AsanaUser(gid, parse_optional_text(user, "name") or "", email)


def suggest_users(roster: Iterable[Employee], users: Iterable[AsanaUser]) -> list[Suggestion]:
    """One suggestion per unmapped employee, in the roster's order."""
    people = list(roster)
    by_address = _ByAddress(people, list(users))
    unmapped = [e for e in people if e.asana_user_gid is None]
    found = [by_address.look(e) for e in unmapped]
    taken = {e.asana_user_gid for e in people} | {s.gid for s in found if s.kind == EXACT}
    hints = _Hints([user for user in by_address.users if user.gid not in taken])
    return _with_rivals(
        # If the address leads to users, the suggestion says what is in the way. A guess beside it would only mislead.
        [s if by_address.leads(e) else hints.add_to(s, e) for s, e in zip(found, unmapped, strict=True)]
    )


class _ByAddress:
    """Who has which address, on both sides."""

    def __init__(self, roster: list[Employee], users: list[AsanaUser]) -> None:
        self.users = users
        self._employee_of = {e.asana_user_gid: e.employee_id for e in roster if e.asana_user_gid}
        self._sharing: dict[str, list[str]] = defaultdict(list)
        self._at: dict[str, list[AsanaUser]] = defaultdict(list)
        for employee in roster:
            self._sharing[address_of(employee.email)].append(employee.employee_id)
        for user in users:
            self._at[address_of(user.email)].append(user)

    def leads(self, employee: Employee) -> bool:
        """Whether a user of the workspace has the employee's address."""
        address = address_of(employee.email)
        return bool(address) and address in self._at

    def look(self, employee: Employee) -> Suggestion:
        """What the employee's address alone says: an exact match, a collision, or nothing."""

        def say(kind: str, why: str, user: AsanaUser | None = None) -> Suggestion:
            gid, name = (user.gid, user.name) if user else (None, None)
            return Suggestion(employee.employee_id, employee.full_name, kind, gid, name, None, why)

        address = address_of(employee.email)
        if not address:
            return say(COLLISION, "the roster has no e-mail address for them")
        found = self._at.get(address, [])
        user = found[0] if len(found) == 1 else None
        if others := [other for other in self._sharing[address] if other != employee.employee_id]:
            return say(COLLISION, f"the same e-mail as {show_ids(others)}", user)
        if len(found) > 1:
            return say(COLLISION, f"Asana users {show_ids([u.gid for u in found])} have that e-mail")
        if user is None:
            return say(NOTHING, "no Asana user has that e-mail")
        if user.gid in self._employee_of:
            return say(COLLISION, f"that Asana user is mapped to {self._employee_of[user.gid]}", user)
        differs = bool(user.name) and similarity(employee.full_name, user.name) < DISSIMILAR
        return say(EXACT, "same e-mail; the names differ, look twice" if differs else "same e-mail", user)


class _Hints:
    """Users whom no employee is mapped to yet, by the signs that a person would look for."""

    def __init__(self, users: list[AsanaUser]) -> None:
        self._untagged: dict[str, list[AsanaUser]] = defaultdict(list)
        self._local: dict[str, list[AsanaUser]] = defaultdict(list)
        self._named: dict[str, dict[str, AsanaUser]] = defaultdict(dict)
        for user in users:
            local, at, domain = untagged(address_of(user.email))
            if at:
                self._untagged[local + at + domain].append(user)
                self._local[local].append(user)
            for sign in name_keys(user.name):
                self._named[sign][user.gid] = user

    def add_to(self, suggestion: Suggestion, employee: Employee) -> Suggestion:
        """The suggestion with the best hint: the address without its +tag, then its local part, then the name."""
        local, at, domain = untagged(address_of(employee.email))
        for found, sign in (
            (self._untagged.get(local + at + domain), "the same e-mail except for a +tag"),
            (self._local.get(local), "the same e-mail under another domain"),
        ):
            if at and found:
                return _hinted(suggestion, found, sign, None)
        score, found = self._similar(employee.full_name)
        return _hinted(suggestion, found, "the same name" if score == 1 else "a similar name", score)

    def _similar(self, name: str) -> tuple[float, list[AsanaUser]]:
        candidates = {gid: user for sign in name_keys(name) for gid, user in self._named.get(sign, {}).items()}
        scores = {gid: similarity(name, user.name, at_least=SIMILAR) for gid, user in candidates.items()}
        best = max(scores.values(), default=0.0)
        return best, [candidates[gid] for gid in sorted(scores) if scores[gid] == best] if best >= SIMILAR else []


def _hinted(suggestion: Suggestion, found: list[AsanaUser], sign: str, score: float | None) -> Suggestion:
    if not found:
        return suggestion
    kind = HINT if suggestion.kind == NOTHING else suggestion.kind
    before = "" if kind == HINT else f"{suggestion.why}; "
    if len(found) > 1:
        several = f"{before}{sign}: Asana users {show_ids([user.gid for user in found])}"
        return replace(suggestion, kind=kind, score=score, why=several)
    (user,) = found
    return replace(suggestion, kind=kind, gid=user.gid, asana_name=user.name, score=score, why=before + sign)


def _with_rivals(suggestions: list[Suggestion]) -> list[Suggestion]:
    """The suggestions; a hint that leads several employees to one user now says so."""
    led = Counter(s.gid for s in suggestions if s.kind == HINT)
    return [
        replace(s, why=f"{s.why}; fits {led[s.gid]} employees") if s.gid and s.kind == HINT and led[s.gid] > 1 else s
        for s in suggestions
    ]


def untagged(address: str) -> tuple[str, str, str]:
    """The address without a +tag, as local part, @ and domain; three times "" if there is no address."""
    local, at, domain = address.rpartition("@")
    # A tag alone, as in +a@d, is no local part.
    return local.partition("+")[0] or local, at, domain


def similarity(one: str, other: str, *, at_least: float = 0.0) -> float:
    """How similar two names are, from 0 to 1, in whatever order their words are; 0 if below `at_least`."""
    # Sorted, because difflib's ratio depends on which of the two comes first.
    first, second = sorted((" ".join(_words(one)), " ".join(_words(other))))
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    if not first or matcher.real_quick_ratio() < at_least or matcher.quick_ratio() < at_least:
        return 0.0
    return min(0.99, round(matcher.ratio(), 2)) if first != second else 1.0


def name_keys(name: str) -> set[str]:
    """The name's words, and its initials together. Names that share none of these need no comparison."""
    words = _words(name)
    return {*words, "/".join(word[0] for word in words)} if words else set()


def _words(name: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", name).casefold()
    return sorted(word for word in re.split(r"[\s.,;()'’\"-]+", folded) if word)
