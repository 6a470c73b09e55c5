"""Who changed what on the admin page, and whose goals were looked at.

The entries hold ids and no text. There is no reference to `connections`: the log of a removed connection stays.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

TABLE = """
create table perfcopilot_goals.audit_log (
    connection text not null,
    entry integer generated always as identity,
    at timestamptz not null,
    actor text not null,
    action text not null,
    subject jsonb not null,
    primary key (connection, entry)
);
create index audit_log_by_moment on perfcopilot_goals.audit_log (at desc);
"""


def upgrade() -> None:
    """Create it."""
    op.execute(TABLE)
