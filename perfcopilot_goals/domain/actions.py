"""What errors tell people to do where both a command and a job of the Dagster UI can do it.

In a deployment the people in the UI have no shell, so such an error names the job too. Each text continues a sentence
of the error's `action`; `{connection}` stands for the connection's name. What only a command can do, such as another
token reference, stays with the error that says so.
"""

INSPECT_JOB, SET_JOB, MATCH_JOB = "inspect_connection", "set_workspace", "match_employees"
SYNC_JOB = "sync_goals"

INSPECT = f"perfcopilot-goals connection check {{connection}}, or the job {INSPECT_JOB} in the UI"
SET_WORKSPACE = f"perfcopilot-goals connection set {{connection}} --workspace-gid GID, or the job {SET_JOB} in the UI"
ENABLE = f"perfcopilot-goals connection set {{connection}} --enable, or the job {SET_JOB} in the UI"
IMPORT = "perfcopilot-goals employee import {connection} FILE.csv"
# Not "materialize its partition": the page of an asset materializes that asset alone, which a guard may refuse.
SYNC = f"perfcopilot-goals sync {{connection}}, or the job {SYNC_JOB} in the UI"
