"""Only our fetch, like the rivals in `rivals/`: the list and the walk. Nothing is stored.

python -m benchmarks.ours BASE_URL TOKEN WORKSPACE GOAL_FIELDS SUBGOAL_FIELDS REQUESTS_PER_MINUTE
"""

import json
import sys
import time

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.listing import fetch_goals
from perfcopilot_goals.asana.walk import walk_subgoals


def main(base_url: str, token: str, workspace: str, goal_fields: str, subgoal_fields: str, rate: str) -> None:
    """Fetch, and print how long it took and how much came."""
    began = time.perf_counter()
    client = AsanaClient(base_url, token, requests_per_minute=int(rate))
    goals = fetch_goals(client, workspace, goal_fields.split(","))
    gids = [goal["gid"] for goal in goals]
    walk = walk_subgoals(client, gids, subgoal_fields.split(","), last_route="goal_relationships")
    subgoals = sum(map(len, walk.subgoals.values()))
    client.close()
    print(json.dumps({"seconds": time.perf_counter() - began, "goals": len(goals), "subgoals": subgoals}))


if __name__ == "__main__":
    main(*sys.argv[1:])
