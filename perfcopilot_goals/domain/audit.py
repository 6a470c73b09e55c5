"""The words of the audit log: what an administrator changed, or a manager looked at."""

ADDED_CONNECTION = "added_connection"
CHANGED_CONNECTION = "changed_connection"
REMOVED_CONNECTION = "removed_connection"
STARTED_SYNC = "started_sync"
MAPPED = "mapped"
UNMAPPED = "unmapped"
IMPORTED_ROSTER = "imported_roster"
LOOKED_AT_GOALS = "looked_at_goals"

AUDIT_ACTIONS = (
    *(ADDED_CONNECTION, CHANGED_CONNECTION, REMOVED_CONNECTION, STARTED_SYNC),
    *(MAPPED, UNMAPPED, IMPORTED_ROSTER, LOOKED_AT_GOALS),
)
