"""A world of any size, for measurements and load, and the word lists that ordinary names are made from.

The same arguments always give the same world. It is cheap: 100,000 goals take about a second. Awkward data is in
`awkward`. Add words at the ends of the lists, because a goal's number picks its words.
"""

from perfcopilot_goals.sandbox.world import Employee, Goal, Person, World

DESCRIPTION = "<body>" + "Agreed with the team in the planning week, and looked at every month. " * 3 + "</body>"
STATUS_TYPES = (None, "on_track", "at_risk", "off_track", "achieved", "partial", "missed", "dropped")

VERBS = (
    "Grow", "Cut", "Launch", "Simplify", "Document", "Automate", "Double", "Stabilize", "Pilot", "Review", "Migrate",
)  # fmt: skip
OBJECTS = (
    "web traffic", "onboarding time", "the partner portal", "invoice handling", "support backlog", "trial sign-ups",
    "release checks", "supplier terms", "the pricing page", "warehouse returns", "the hiring loop", "energy use",
    "customer interviews",
)  # fmt: skip
MEASURES = (
    "by 10%", "by 30%", "before the summer", "in three regions", "for new customers", "with fewer steps", "by year end",
)  # fmt: skip

GIVEN_NAMES = (
    "Ada", "Bruno", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Ingrid", "Jonas", "Kavya", "Lorenzo", "Mina",
    "Noor", "Oskar", "Priya", "Quentin", "Rosa", "Stellan", "Tomoko", "Ulla", "Viktor", "Wanda", "Xenia", "Yusuf",
    "Zelda",
)  # fmt: skip
# Nobody has these names: they are things on a kitchen shelf.
FAMILY_NAMES = ("Thimble", "Marzipan", "Colander", "Nutmeg", "Trivet", "Caraway", "Ladle")


def goal_name(number: int) -> str:
    """A goal's name. The lists' lengths share no factor, so the first 1,001 names all differ."""
    return f"{VERBS[number % 11]} {OBJECTS[number % 13]} {MEASURES[number % 7]}"


def person_name(number: int) -> str:
    """A made-up person's name; numbers below 182 all differ."""
    return f"{GIVEN_NAMES[number % 26]} {FAMILY_NAMES[number % 7]}"


def generated_world(
    goals: int = 1000,
    people: int = 50,
    workspace_gid: str = "1200000000000002",
    subgoals: int | None = None,
) -> World:
    """A world with a list of `goals` goals, sub-goals included. Everybody is a mapped employee.

    `subgoals` of the goals are sub-goals, by default three quarters of them. They come last, and the other goals are
    their parents in turn.
    """
    gids = [f"12{number:014d}" for number in range(1, people + 1)]
    persons = {
        gid: Person(gid, f"Person {number}", f"person{number}@example.com") for number, gid in enumerate(gids, 1)
    }
    roster = [
        Employee(f"E{number:06d}", person.name, person.email or "", person.gid)
        for number, person in enumerate(persons.values(), 1)
    ]
    world = World(workspace_gid, "Generated company", persons, roster=roster)
    top_level = goals - (goals * 3 // 4 if subgoals is None else subgoals)
    for position in range(goals):
        goal = Goal(
            _goal_gid(position),
            goal_name(position),
            owner_gid=gids[position % people],
            html_notes=DESCRIPTION,
            start_on="2026-01-01",
            due_on="2026-12-31",
            status_type=STATUS_TYPES[position % len(STATUS_TYPES)],
        )
        parents = () if position < top_level else (_goal_gid(position % top_level),)
        world.add(goal, *parents)
    return world


def _goal_gid(position: int) -> str:
    return f"14{position + 1:014d}"
