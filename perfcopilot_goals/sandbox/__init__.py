"""A small Asana that runs in-process: a loopback server, a sample company, and a hook for trouble.

    with Sandbox(sample_company(), token="any") as asana:
        requests.get(asana.base_url + "/users/me", headers={"Authorization": "Bearer any"})

It imports nothing else of the product, least of all the client. So the client and its stand-in are both written from
Asana's documentation, independently of each other.
"""

from perfcopilot_goals.sandbox.company import sample_company
from perfcopilot_goals.sandbox.exchange import Fault, Raw, Request, Response, now_and_then
from perfcopilot_goals.sandbox.generated import generated_world
from perfcopilot_goals.sandbox.server import Sandbox
from perfcopilot_goals.sandbox.world import Employee, Goal, Person, World, roster_csv

__all__ = [
    "Employee",
    "Fault",
    "Goal",
    "Person",
    "Raw",
    "Request",
    "Response",
    "Sandbox",
    "World",
    "generated_world",
    "now_and_then",
    "roster_csv",
    "sample_company",
]
