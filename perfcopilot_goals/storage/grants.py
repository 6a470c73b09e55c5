"""Who may do what in the database: six roles without a login. A company's logins become members of them.

The rights are the table below. The SQL may be run again at any time: it takes back every right that is not in the
table. Add a line here for each new table of ours. The loader and the administrator use all of Dagster's tables.
"""

import re

from perfcopilot_goals.domain.sync import SLICE_TABLES, VERSION_TABLES
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.storage.database import DAGSTER_SCHEMA, Database, driver

DEFAULT_PREFIX = "perfcopilot"
ROLES = ("owner", "loader", "application", "analyst", "administrator", "manager")

# A login that can write a connection's address or token reference can send its token elsewhere. One that can write the
# roster can give one person the goals of another. A sync only reads both, and records beside them how the mapping
# agrees with Asana's users. The job `set_workspace` also sets the workspace, among those of the same token. So the
# loader may write those columns and no others. People who change the rest are members of the owner.
RIGHTS = {
    "loader": {
        **dict.fromkeys(SLICE_TABLES, "select, insert, delete"),
        **dict.fromkeys(("syncs", "block_versions", "goal_versions"), "select, insert, update, delete"),
        "connections": "select, update (users_checked_at, users_seen, workspace_gid, enabled, updated_at)",
        "employees": "select, update (asana_gone_at, mapping_conflict)",
        # A trigger writes it with the rights of whoever changes the roster.
        "roster_changes": "select, insert, update",
        **dict.fromkeys(("erased", "erasure_keys", "alembic_version"), "select"),
    },
    "application": dict.fromkeys(
        ("goals", "goal_key_results", "prompt_blocks", "block_versions", "goal_versions", "status_changes"), "select"
    ),
    "analyst": {"goal_counts": "select"},
    # The login of the admin page. It changes settings and the roster, and writes no goal. To start a sync from the page
    # it has to be a member of the loader, too.
    "administrator": {
        **dict.fromkeys((*SLICE_TABLES, "syncs"), "select, delete"),
        **dict.fromkeys(VERSION_TABLES, "select, update, delete"),
        "roster_changes": "select, insert, update",
        **dict.fromkeys(("connections", "employees"), "select, insert, update, delete"),
        **dict.fromkeys(("erased", "erasure_keys", "alembic_version", "goals", "goal_key_results"), "select"),
        "audit_log": "select, insert, update (subject)",
    },
    # The login of an admin page for managers only: the Goals tab, and an entry in the audit log for each look.
    "manager": {
        **dict.fromkeys(("goals", "goal_key_results", "prompt_blocks", "syncs", "alembic_version"), "select"),
        "connections": "select (connection, workspace_gid)",
        "employees": "select (connection, employee_id, full_name, email, manager_email, asana_user_gid, asana_gone_at, "
        "updated_at)",
        "audit_log": "insert",
    },
}

# What the job `match_employees` needs to map. The loader gets it on request only.
MAPPING_RIGHT = "update (asana_user_gid, updated_at)"

_HEAD = """\
-- Roles of perfcopilot_goals. Run by a role that may create roles and owns the tables, or by a superuser.
do $$
declare
    role_name text;
    relation record;
begin
    foreach role_name in array array[{roles}] loop
        if not exists (select from pg_roles where rolname = role_name) then
            execute format('create role %I nologin', role_name);
        end if;
    end loop;
    execute format('grant %I to current_user', '{prefix}_owner');
    foreach role_name in array array['{goals}', '{dagster}'] loop
        execute format('alter schema %I owner to %I', role_name, '{prefix}_owner');
    end loop;
    for relation in
        select nspname, relname from pg_class join pg_namespace n on n.oid = relnamespace
        where nspname in ('{goals}', '{dagster}') and relkind in ('r', 'p', 'v')
    loop
        execute format('alter table %I.%I owner to %I', relation.nspname, relation.relname, '{prefix}_owner');
    end loop;
end $$;
revoke all on schema {goals}, {dagster} from public, {users};
revoke all on all tables in schema {goals}, {dagster} from public, {users};
revoke all on all sequences in schema {goals}, {dagster} from public, {users};
grant usage on schema {goals} to {users};
grant usage on schema {dagster} to {prefix}_loader, {prefix}_administrator;
grant select, insert, update, delete on all tables in schema {dagster} to {prefix}_loader, {prefix}_administrator;
grant usage, select on all sequences in schema {dagster} to {prefix}_loader, {prefix}_administrator;
"""


def render_grants(prefix: str = DEFAULT_PREFIX, *, mapping_by_loader: bool = False) -> str:
    """The SQL that makes the roles and grants their rights. Roles are named `<prefix>_owner` and so on.

    With `mapping_by_loader` the loader may also map employees.
    """
    if not re.fullmatch("[a-z][a-z0-9_]{0,39}", prefix):
        raise GoalsConfigError("the roles' prefix is 1 to 40 of a-z, 0-9 and _, and begins with a letter")
    names = {
        "prefix": prefix,
        "goals": SCHEMA,
        "dagster": DAGSTER_SCHEMA,
        "roles": ", ".join(f"'{prefix}_{role}'" for role in ROLES),
        "users": ", ".join(f"{prefix}_{role}" for role in RIGHTS),
    }
    grants = [
        f"grant {rights} on {SCHEMA}.{table} to {prefix}_{role};"
        for role, tables in RIGHTS.items()
        for table, rights in tables.items()
    ]
    if mapping_by_loader:
        grants.append(f"grant {MAPPING_RIGHT} on {SCHEMA}.employees to {prefix}_loader;")
    return "\n".join([_HEAD.format(**names).rstrip("\n"), *grants, ""])


def make_roles(database: Database, prefix: str = DEFAULT_PREFIX, *, mapping_by_loader: bool = False) -> list[str]:
    """Make the roles and give them their rights, all or nothing; returns their names.

    The tables must be there, Dagster's too. With `mapping_by_loader` the job `match_employees` may map, too.
    """
    with database.connect("granting rights") as conn:
        driver(conn).execute(render_grants(prefix, mapping_by_loader=mapping_by_loader).encode())
    return [f"{prefix}_{role}" for role in ROLES]
