"""How Alembic reaches the database: by the caller's connection, in the caller's transaction."""

from alembic import context

from perfcopilot_goals.schemas import SCHEMA

context.configure(connection=context.config.attributes["conn"], version_table_schema=SCHEMA)
with context.begin_transaction():
    context.run_migrations()
