"""Whether the mapping agrees with Asana's users, and when that was checked; and each employee's manager.

Only the result of the comparison is stored, nothing of what Asana says about its users.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

COLUMNS = """
alter table perfcopilot_goals.connections
    add column check_users boolean not null default true,
    add column users_checked_at timestamptz,
    add column users_seen integer;

alter table perfcopilot_goals.employees
    add column mapping_conflict text
        check (mapping_conflict in ('email_of_another_user', 'user_of_another_employee', 'both')),
    add column manager_email text;
"""


def upgrade() -> None:
    """Add the columns; the first sync after this checks the users."""
    op.execute(COLUMNS)
