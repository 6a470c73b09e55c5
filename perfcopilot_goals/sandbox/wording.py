"""Business-like goal names and fictional people, made from small word lists.

Add words at the ends of the lists, because a goal's number picks its words. Awkward names are in `awkward`.
"""

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
