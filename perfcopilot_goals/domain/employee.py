"""An employee of a roster, and the kinds of ids by which an erased person is recognised."""

from dataclasses import dataclass

# The ids of a person. After an erasure they are recognised by these.
ERASED_KINDS = ("employee_id", "asana_user_gid", "email")

# How the e-mails of roster and Asana can contradict a mapping; `core.mapping_conflicts` says when.
EMAIL_OF_ANOTHER_USER, USER_OF_ANOTHER_EMPLOYEE, BOTH = MAPPING_CONFLICTS = (
    "email_of_another_user",
    "user_of_another_employee",
    "both",
)


@dataclass(frozen=True)
class Employee:
    """One employee of a roster. `asana_user_gid` is None until they are mapped."""

    employee_id: str
    full_name: str
    email: str
    asana_user_gid: str | None
    manager_email: str | None = None
