"""What is wrong with mapping several employees at once."""

import pytest

from perfcopilot_goals.core.roster_changes import find_mapping_problems
from perfcopilot_goals.domain.employee import Employee

ROSTER = [Employee("E1", "Ana", "", "11"), Employee("E2", "Bo", "", None), Employee("E3", "Cy", "", None)]


def problems(**gid_of: str) -> dict[str, str]:
    return find_mapping_problems(ROSTER, gid_of, lambda gid: gid == "66")


def test_unmapped_employees_may_have_users_that_nobody_has() -> None:
    assert problems(E2="12", E3="13") == {}
    assert problems(E1="11") == {}, "saying again what is known is no problem"


@pytest.mark.parametrize(
    ("gid_of", "says"),
    [
        pytest.param({"E9": "19"}, {"E9": "is not on the roster any more"}, id="gone"),
        pytest.param({"E1": "12"}, {"E1": "was mapped to Asana user 11 meanwhile; unmap them first"}, id="mapped"),
        pytest.param({"E2": "1 2"}, {"E2": "an Asana user's GID must be digits only"}, id="no gid"),
        pytest.param({"E2": "66"}, {"E2": "this Asana user was erased and cannot be mapped"}, id="erased"),
        pytest.param({"E2": "11"}, {"E2": "Asana user 11 is mapped to E1; unmap them first"}, id="taken"),
        pytest.param(
            {"E2": "12", "E3": "12"},
            dict.fromkeys(["E2", "E3"], "Asana user 12 is chosen for 2 employees; a user can be one employee only"),
            id="twice",
        ),
    ],
)
def test_what_cannot_be_is_said_of_each_employee(gid_of: dict[str, str], says: dict[str, str]) -> None:
    assert problems(**gid_of) == says
