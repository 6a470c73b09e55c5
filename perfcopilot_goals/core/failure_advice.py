"""What a person at the admin page can do about a failed sync, by the class of its error."""

from perfcopilot_goals.domain.sync import INTERRUPTED

_ADVICE = {
    "GoalsConfigError": "A setting is missing or wrong: test the connection, correct it, and sync again",
    "AsanaAccessError": "Asana refused the token or the workspace: test the connection, or enter a new token",
    "AsanaContractError": "Asana's answer was not as agreed: sync again; if it stays, upgrade the program",
    "GoalsSchemaError": "Asana sent something that the tables do not hold: upgrade the program",
    "GoalsGuardError": "The sync would have emptied what is stored, so it was stopped: look in Asana, then sync again",
    "GoalsStoreError": "The database did not take it: ask the people who run it",
    "AsanaUnavailableError": "Asana was not to be reached: the next sync will try again",
    INTERRUPTED: "The sync was interrupted: sync again",
}


def advise(error_code: str | None) -> str:
    """The advice, as one sentence without its full stop. An unknown class is a defect of the program."""
    return _ADVICE.get(error_code or "", "The program itself failed: the run's page in Dagster says where")
