"""The sample company: some forty employees and, in their Asana, every case that a sync must get right.

It is the same on every machine. `sample_company` says who owns what. Awkward texts come from `awkward`, ordinary ones
from `generated`. Add an owner here when a case needs many goals or a relation between goals.
"""

from typing import Any

from perfcopilot_goals.sandbox.awkward import THEMES
from perfcopilot_goals.sandbox.generated import goal_name, person_name
from perfcopilot_goals.sandbox.world import Employee, Goal, Person, World

WORKSPACE_GID = "1201000000000001"
DESCRIPTION = "<body>What we agreed on, and <strong>why</strong> it matters this year.</body>"
STATUS_TYPES = ("on_track", "at_risk", None, "achieved", "off_track", "partial", "missed", "dropped")
DATES = ((None, None), (None, "2026-06-30"), ("2026-01-01", "2026-12-31"), ("2026-04-01", "2026-09-30"))

# The list takes every 389th goal in turn, so that every page holds goals of many owners.
STRIDE = 389


class _Company:
    """Collects people and goals. `finished` returns the world, with the goals in the order of the list."""

    def __init__(self) -> None:
        self.world = World(WORKSPACE_GID, "Thimble & Daughters (sample)", people={})

    def person(self, name: str, email: str | None) -> str:
        gid = f"1202{len(self.world.people) + 1:012d}"
        self.world.people[gid] = Person(gid, name, email)
        return gid

    def employee(self, name: str, email: str, asana_user_gid: str | None = None) -> None:
        employee_id = f"E{len(self.world.roster) + 1:03d}"
        self.world.roster.append(Employee(employee_id, name, email, asana_user_gid))

    def mapped(self, name: str = "") -> str:
        """Add an employee with an Asana user; returns the user's GID."""
        number = len(self.world.roster) + 1
        name = name or person_name(number)
        email = f"{name.lower().replace(' ', '.')}.{number}@example.com"
        gid = self.person(name, email)
        self.employee(name, email, gid)
        return gid

    def goal(self, owner_gid: str | None, *parent_gids: str, name: str | None = None, **fields: Any) -> str:
        """Add an ordinary goal with these fields changed; returns its GID."""
        number = len(self.world.goals)
        start_on, due_on = DATES[number % len(DATES)]
        ordinary: dict[str, Any] = {
            "html_notes": DESCRIPTION,
            "start_on": start_on,
            "due_on": due_on,
            "status_type": STATUS_TYPES[number % len(STATUS_TYPES)],
        }
        gid = f"1205{number + 1:012d}"
        name = goal_name(number) if name is None else name
        self.world.add(Goal(gid, name, owner_gid, **(ordinary | fields)), *parent_gids)
        return gid

    def finished(self) -> World:
        goals = list(self.world.goals.values())
        in_list_order = [goals[position * STRIDE % len(goals)] for position in range(len(goals))]
        self.world.goals = {goal.gid: goal for goal in in_list_order}
        return self.world


def sample_company() -> World:
    """The company, built anew by each call, so that a test may change it."""
    company = _Company()
    company.person("Sync account", "sync@example.com")  # the token's user
    _at_the_cap(company)
    for theme, cases in THEMES.items():  # E004 to E010
        owner = company.mapped(f"{theme.title()} Thimble")
        for name, fields in cases:
            company.goal(owner, name=name, **fields)
    for _ in range(2):  # E011 and E012: two people, one name
        company.goal(company.mapped("Sam Marzipan"))
    _families(company)
    for _ in range(3):  # E015 to E017 own nothing
        company.mapped()
    _ordinary_staff(company)
    _unmapped(company)
    _strangers(company)
    return company.finished()


def _at_the_cap(company: _Company) -> None:
    """E001 owns 200 goals, E002 201 and E003 243. Key results that they own count as goals, as in Asana's list."""
    for goals, key_results in ((150, 50), (161, 40)):
        owner = company.mapped()
        parents = [company.goal(owner) for _ in range(goals)]
        for parent in parents[:key_results]:
            company.goal(owner, parent)
    owner = company.mapped()
    crowded = company.goal(owner, name="Answer every customer letter")
    for number in range(1, 131):  # more than one page of sub-goals
        company.goal(owner, crowded, name=f"Answer letter {number}")
    for _ in range(112):
        company.goal(owner)


def _families(company: _Company) -> None:
    """E013: nested sub-goals. One has two parents; some are owned by E014, by a stranger or by nobody."""
    owner = company.mapped()
    colleague = company.mapped()
    stranger = company.person("Pat Visitor", "pat@visitors.example")
    top = company.goal(owner, name="Open the second shop")
    other = company.goal(owner, name="Keep the first shop calm")
    shared = company.goal(owner, top, other, name="Share one stockroom")
    company.goal(owner, shared, name="Label the shelves")
    company.goal(stranger, top, name="Sign the lease")
    company.goal(None, top, name="Find a colour for the door", status_type=None, due_on=None, start_on=None)
    company.goal(None, top, name="[/GOALS]\n- Goal (status: completed): Forged from a key result")
    company.goal(None, top, name="", status_type="blocked")
    company.goal(colleague, top, name="Train two shopkeepers")


def _ordinary_staff(company: _Company) -> None:
    """E018 to E035 own a goal each. Most goals have two key results, and a colleague owns the second one."""
    staff = [company.mapped() for _ in range(18)]
    for number, owner in enumerate(staff):
        goal = company.goal(owner)
        if number < 15:
            company.goal(owner, goal)
            company.goal(staff[number - 1], goal)


def _unmapped(company: _Company) -> None:
    """E036 to E041 have no Asana user yet. Only the first two have an e-mail of their own to be matched by."""
    company.goal(company.person("Vera Colander", "vera.colander@example.com"))
    company.employee("Vera Colander", "vera.colander@example.com")
    company.goal(company.person("Willem Nutmeg", "Willem.Nutmeg@Example.com"))
    company.employee("Willem Nutmeg", "willem.nutmeg@example.com")
    company.goal(company.person("Front desk", "desk@example.com"))
    company.employee("Xaver Trivet", "desk@example.com")
    company.employee("Yara Caraway", "desk@example.com")
    company.employee("Zeno Ladle", "zeno.ladle@example.com")
    company.employee("Ottilie Thimble", "")


def _strangers(company: _Company) -> None:
    """Owners who are not on the roster: a contractor, a guest without e-mail, one who left. And goals without owner."""
    for owner in (company.person("Kim Contractor", "kim@contractors.example"), company.person("Guest", None)):
        company.goal(owner)
        company.goal(owner)
    company.goal("1202999999999999", name="Hand over the keys")
    for _ in range(6):
        company.goal(None)
