"""Why each block is as it is, and which employees' Asana users are gone.

Existing blocks get a reason by their own counts. Whether an empty one had goals earlier is not known.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

COLUMNS = """
alter table perfcopilot_goals.employees add column asana_gone_at timestamptz;

alter table perfcopilot_goals.prompt_blocks add column reason text;
update perfcopilot_goals.prompt_blocks
set reason = case when truncated then 'truncated' when goals_owned > 0 then 'ok' else 'owns_no_goals' end;
alter table perfcopilot_goals.prompt_blocks alter column reason set not null;
"""


def upgrade() -> None:
    """Add the columns and fill them."""
    op.execute(COLUMNS)
