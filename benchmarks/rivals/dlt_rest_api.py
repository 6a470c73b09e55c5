"""The fetch with dlt's `rest_api` source: its own paging and retries. Sub-goals are a resource below the goals.

python benchmarks/rivals/dlt_rest_api.py BASE_URL TOKEN WORKSPACE GOAL_FIELDS SUBGOAL_FIELDS
"""

import json
import os
import sys
import time
from collections import Counter

THREADS = 50
# dlt reads its settings at import: 50 requests in flight, like the others, and no telemetry.
os.environ |= {
    "EXTRACT__WORKERS": str(THREADS),
    "EXTRACT__MAX_PARALLEL_ITEMS": str(2 * THREADS),
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
}

from dlt.sources.rest_api import rest_api_source  # noqa: E402


def main(base_url: str, token: str, workspace: str, goal_fields: str, subgoal_fields: str) -> None:
    """Fetch, and print how long it took and how much came."""
    pages = {"type": "cursor", "cursor_path": "next_page.offset", "cursor_param": "offset"}
    goals = {
        "name": "goals",
        "endpoint": {
            "path": "goals",
            "params": {"workspace": workspace, "limit": 100, "opt_fields": goal_fields},
            "data_selector": "data",
            "paginator": pages,
        },
    }
    subgoals = {
        "name": "subgoals",
        "parallelized": True,
        "include_from_parent": ["gid"],
        "endpoint": {
            "path": "goal_relationships",
            "params": {
                "supported_goal": "{resources.goals.gid}",
                "resource_subtype": "subgoal",
                "limit": 100,
                "opt_fields": subgoal_fields,
            },
            "data_selector": "data",
            "paginator": pages,
        },
    }
    client = {"base_url": base_url, "auth": {"type": "bearer", "token": token}}
    source = rest_api_source({"client": client, "resources": [goals, subgoals]}, parallelized=True)
    began = time.perf_counter()
    came = Counter("subgoals" if "supporting_resource" in item else "goals" for item in source)
    print(json.dumps({"seconds": time.perf_counter() - began, **came}))


if __name__ == "__main__":
    main(*sys.argv[1:])
