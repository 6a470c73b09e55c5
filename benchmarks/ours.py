"""The fetch alone, as the rivals in `rivals/` do it: list and walk, nothing stored.

python -m benchmarks.ours BASE_URL TOKEN WORKSPACE REQUESTS_PER_MINUTE
"""

import json
import sys
import time

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.listing import fetch_goals
from perfcopilot_goals.asana.walk import walk_subgoals
from perfcopilot_goals.schemas.tables import tables

GOAL_FIELDS = tables()["raw_workspace_goals"].asana_fields
SUBGOAL_FIELDS = tables()["subgoals"].asana_fields


def main(base_url: str, token: str, workspace: str, requests_per_minute: str) -> None:
    """Print how long it took and how much came."""
    began = time.perf_counter()
    client = AsanaClient(base_url, token, requests_per_minute=int(requests_per_minute))
    goals = fetch_goals(client, workspace, GOAL_FIELDS)
    walk = walk_subgoals(client, [goal["gid"] for goal in goals], SUBGOAL_FIELDS, last_route="goal_relationships")
    subgoals = sum(map(len, walk.subgoals.values()))
    client.close()
    print(json.dumps({"seconds": time.perf_counter() - began, "goals": len(goals), "subgoals": subgoals}))


if __name__ == "__main__":
    main(*sys.argv[1:])
