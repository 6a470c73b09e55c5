"""An employee of a roster, the ids by which an erased person is recognised, and when two e-mail addresses are equal."""

from dataclasses import dataclass

# The ids of a person. After an erasure they are recognised by these.
ERASED_KINDS = ("employee_id", "asana_user_gid", "email")

# How the e-mails of roster and Asana can contradict a mapping; `core.mapping_conflicts` says when.
MAPPING_CONFLICTS = ("email_of_another_user", "user_of_another_employee", "both")


@dataclass(frozen=True)
class Employee:
    """One employee of a roster. `asana_user_gid` is None until they are mapped."""

    employee_id: str
    full_name: str
    email: str
    asana_user_gid: str | None
    manager_email: str | None = None


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
