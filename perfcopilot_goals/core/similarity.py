"""When two e-mail addresses are the same, and how similar two names are.

`suggestions` decides what that means for people.
"""

import re
import unicodedata
from difflib import SequenceMatcher


def address_of(email: str | None) -> str:
    """The address to compare, wherever two are compared: without blanks around it, folded; "" if it is no address."""
    text = (email or "").strip()
    local, at, domain = text.rpartition("@")
    if not (local and at and domain):
        return ""
    return fold(text)


def fold(text: str) -> str:
    """The text in lower case; only letters that round-trip are changed.

    The Kelvin sign, a dotted capital I or a sharp s would otherwise turn somebody's address into another's.
    """
    return text.lower() if text.isascii() else "".join(c.lower() if c.lower().upper() == c else c for c in text)


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
