"""A company's roster and Asana users, made up from a seed, with traps in them and the truth about who is who.

Add a trap here when a sign that no trap covers could match somebody wrongly.
"""

import random
from collections import Counter
from dataclasses import dataclass, field, replace

from perfcopilot_goals.core.suggestions import AsanaUser
from perfcopilot_goals.domain.employee import Employee

GIVEN = (
    "Ada", "Bruno", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Ingrid", "Jonas", "Kavya",
    "Lorenzo", "Mina", "Noor", "Oskar", "Priya",
)  # fmt: skip
FAMILY = (
    "Thimble", "Marzipan", "Colander", "Nutmeg", "Trivet", "Caraway", "Ladle", "Saffron", "Skillet", "Whisk",
    "Griddle", "Fennel", "Sieve",
)  # fmt: skip
TRAPS = {
    "same names": 20,
    "shared by two employees": 10,
    "shared by two users": 6,
    "changed address": 8,
    "plus tag": 4,
    "upper case": 4,
    "user of another employee": 4,
    "deactivated": 4,
}


@dataclass
class Company:
    """`true_gid` is each employee's own user, even if they left Asana. `trap` says which trap an employee is in."""

    roster: list[Employee] = field(default_factory=list)
    users: dict[str, AsanaUser] = field(default_factory=dict)
    true_gid: dict[str, str] = field(default_factory=dict)
    trap: dict[str, str] = field(default_factory=dict)

    def applicable(self) -> set[str]:
        """Employees whom a careful person would map by e-mail: the user is there, and nobody else has the address."""
        addresses = {e.employee_id: e.email.strip().lower() for e in self.roster}
        theirs = {gid: (user.email or "").strip().lower() for gid, user in self.users.items()}
        times, times_there = Counter(addresses.values()), Counter(theirs.values())
        return {
            i
            for i in self.findable()
            if (address := addresses[i]) == theirs[self.true_gid[i]] and times[address] == times_there[address] == 1
        }

    def findable(self) -> set[str]:
        """Unmapped employees whose user is there and not mapped to anybody else, whatever their addresses."""
        mapped = {e.asana_user_gid for e in self.roster}
        free = [e.employee_id for e in self.roster if e.asana_user_gid is None]
        return {i for i in free if self.true_gid[i] in self.users and self.true_gid[i] not in mapped}


def labelled_company(seed: int, employees: int = 2_000) -> Company:
    """Each employee has a user with the same address, and two fifths are mapped. Then come the traps of `TRAPS`."""
    chance = random.Random(seed)
    company = Company()
    for number in range(1, employees + 1):
        employee_id, gid = f"E{number:05d}", f"12{number:014d}"
        name = f"{chance.choice(GIVEN)} {chance.choice(FAMILY)}"
        address = f"{name.replace(' ', '.').lower()}{number}@example.com"
        typed = chance.choice([address] * 4 + [f" {address} ", address.title()])
        is_mapped = chance.random() < 0.4
        company.roster.append(Employee(employee_id, name, typed, gid if is_mapped else None))
        company.true_gid[employee_id] = gid
        company.users[gid] = AsanaUser(gid, name, address)
    places = [place for place, e in enumerate(company.roster) if e.asana_user_gid is None]
    chance.shuffle(places)
    for trap, count in TRAPS.items():
        chosen, places = places[:count], places[count:]
        for place, partner in zip(chosen[::2], chosen[1::2], strict=True):
            _plant(company, trap, place, partner)
    return company


def _plant(company: Company, trap: str, place: int, partner: int) -> None:
    """Put two employees into this trap."""
    one, two = company.roster[place], company.roster[partner]
    mine, theirs = company.true_gid[one.employee_id], company.true_gid[two.employee_id]
    company.trap |= {one.employee_id: trap, two.employee_id: trap}
    user = company.users[mine]
    match trap:
        case "same names":
            # Two people with one name. Only the first is in Asana, under an address that the roster does not have.
            company.roster[partner] = replace(two, full_name=one.full_name)
            company.users[mine] = replace(user, email=f"renamed{place}@example.com")
            del company.users[theirs]
        case "shared by two employees":
            company.roster[partner] = replace(two, email=one.email.upper())
        case "shared by two users":
            company.users[theirs] = replace(company.users[theirs], email=(user.email or "").upper())
        case "changed address":
            # One married. The other's address is hidden, and somebody new has nearly the same one.
            company.users[mine] = replace(user, name="Anna Newly-Wed", email=f"newly.wed{place}@example.com")
            company.users[theirs] = replace(company.users[theirs], email=None)
            company.users[f"99{place}"] = AsanaUser(f"99{place}", "New Hire", f"x{two.email.strip()}")
        case "plus tag":
            local, _, domain = (user.email or "").partition("@")
            company.users[mine] = replace(user, email=f"{local}+asana@{domain}")
            company.users[f"98{place}"] = AsanaUser(f"98{place}", "Test Account", f"{local}+test@{domain}")
            company.roster[partner] = replace(two, email=two.email.strip().replace("@", "+work@"))
        case "upper case":
            company.roster[place] = replace(one, email=one.email.upper())
            company.users[theirs] = replace(company.users[theirs], email=f"  {two.email.strip().upper()}\n")
        case "user of another employee":
            # The partner is mapped to the first one's user. A person decided that, rightly or not.
            company.roster[partner] = replace(two, asana_user_gid=mine)
        case "deactivated":
            # Both users are gone from the list. A namesake's user is there under another address.
            del company.users[mine], company.users[theirs]
            company.users[f"97{place}"] = AsanaUser(f"97{place}", one.full_name, f"namesake{place}@example.com")
