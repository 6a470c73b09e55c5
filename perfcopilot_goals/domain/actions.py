"""What errors tell people to do, by a command or a job of the Dagster UI; and what the admin page advises.

In a deployment the people in the UI have no shell, so an error names the job too. Each text continues a sentence
of the error's `action`; `{connection}` stands for the connection's name. What only a command can do, such as another
token reference, stays with the error that says so.
"""

from perfcopilot_goals.domain.sync import INTERRUPTED, Sync

INSPECT_JOB, SET_JOB, MATCH_JOB = "inspect_connection", "set_workspace", "match_employees"
SYNC_JOB = "sync_goals"

INSPECT = f"perfcopilot-goals connection check {{connection}}, or the job {INSPECT_JOB} in the UI"
SET_WORKSPACE = f"perfcopilot-goals connection set {{connection}} --workspace-gid GID, or the job {SET_JOB} in the UI"
# What to do about a GID that is none, by what it should be the GID of.
COPY_WORKSPACE_GID = f"Copy the number alone, or leave it out for now. To list the right ones: {INSPECT}"
COPY_USER_GID = "Copy the number alone. Who the unmapped may be: perfcopilot-goals employee suggest {connection}"
ENABLE = f"perfcopilot-goals connection set {{connection}} --enable, or the job {SET_JOB} in the UI"
IMPORT = "perfcopilot-goals employee import {connection} FILE.csv"
# Not "materialize its partition": the page of an asset materializes that asset alone, which a guard may refuse.
SYNC = f"perfcopilot-goals sync {{connection}}, or the job {SYNC_JOB} in the UI"

# At the admin page, by the class of the error.
_ADVICE = {
    "GoalsConfigError": "A setting is missing or wrong: test the connection, correct it, and sync again",
    "AsanaAccessError": "Asana refused the token or the workspace: test the connection, or enter a new token",
    "AsanaContractError": "Asana's answer was not as agreed: sync again; if it stays, upgrade the program",
    "GoalsSchemaError": "Asana sent something that the tables do not hold: upgrade the program",
    "GoalsGuardError": "A safety check stopped the sync, and the old rows stand: the run's page in Dagster says which",
    "GoalsStoreError": "The database did not take it: ask the people who run it",
    "AsanaUnavailableError": "Asana was not to be reached: the next sync will try again",
    INTERRUPTED: "The sync was interrupted: sync again",
}


def advise(error_code: str | None) -> str:
    """What a person at the admin page can do about a failed sync. An unknown class is a defect of the program."""
    return _ADVICE.get(error_code or "", "The program itself failed: the run's page in Dagster says where")


def what_to_do(unfinished: Sync) -> str:
    """What a person at the command line can do about a sync that failed, or that has not ended: a sentence."""
    sync = f"perfcopilot-goals sync {unfinished.connection}"
    if unfinished.state == "running":
        return f"If it was killed: {sync}"
    remedy: str = unfinished.counts.get("remedy") or ""
    return remedy if remedy and unfinished.error_code != "AsanaUnavailableError" else f"Next: {sync}"
