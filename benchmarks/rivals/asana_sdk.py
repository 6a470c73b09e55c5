"""The fetch with Asana's official package: its own paging and retries, one thread for each of 50 requests in flight.

python benchmarks/rivals/asana_sdk.py BASE_URL TOKEN WORKSPACE GOAL_FIELDS SUBGOAL_FIELDS
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import asana

THREADS = 50


def main(base_url: str, token: str, workspace: str, goal_fields: str, subgoal_fields: str) -> None:
    """Fetch, and print how long it took and how much came."""
    configuration = asana.Configuration()
    configuration.host = base_url
    configuration.access_token = token
    # One kept-alive line for each thread; the default is five for each core.
    configuration.connection_pool_maxsize = THREADS
    client = asana.ApiClient(configuration)
    relationships = asana.GoalRelationshipsApi(client)

    def subgoals_of(goal_gid: str) -> int:
        options = {"resource_subtype": "subgoal", "limit": 100, "opt_fields": subgoal_fields}
        return len(list(relationships.get_goal_relationships(goal_gid, options)))

    began = time.perf_counter()
    options = {"workspace": workspace, "limit": 100, "opt_fields": goal_fields}
    goals = [goal["gid"] for goal in asana.GoalsApi(client).get_goals(options)]
    with ThreadPoolExecutor(THREADS) as threads:
        subgoals = sum(threads.map(subgoals_of, goals))
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "goals": len(goals), "subgoals": subgoals}))


if __name__ == "__main__":
    main(*sys.argv[1:])
