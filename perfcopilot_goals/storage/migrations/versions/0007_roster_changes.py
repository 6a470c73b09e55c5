"""What the sensors need in order not to read everything at every tick.

When each connection's roster last changed; a trigger notes it, because a removed employee leaves no row behind that
could say so. And an index that finds each connection's latest sync, however long its history is.
"""

from alembic import op

revision = "0007"
down_revision = "0006"

TABLES = """
create table perfcopilot_goals.roster_changes (
    connection text primary key references perfcopilot_goals.connections on delete cascade,
    changed_at timestamptz not null
);

insert into perfcopilot_goals.roster_changes (connection, changed_at)
select connection, max(updated_at) from perfcopilot_goals.employees group by connection;

create function perfcopilot_goals.note_roster_change() returns trigger language plpgsql
set search_path = pg_catalog, pg_temp as $$
begin
    -- If the connection is being removed, there is nothing to note. All rows of one transaction get the same moment, so
    -- only the first of them writes.
    insert into perfcopilot_goals.roster_changes as noted (connection, changed_at)
    select c.connection, now() from perfcopilot_goals.connections c
    where c.connection = coalesce(new.connection, old.connection)
    on conflict (connection) do update set changed_at = excluded.changed_at
    where noted.changed_at < excluded.changed_at;
    return null;
end $$;

create trigger note_roster_change
after insert or delete or update of asana_user_gid, updated_at on perfcopilot_goals.employees
for each row execute function perfcopilot_goals.note_roster_change();

create index syncs_by_start on perfcopilot_goals.syncs (connection, started_at desc);
"""


def upgrade() -> None:
    """Create them, with what the rosters themselves say so far."""
    op.execute(TABLES)
