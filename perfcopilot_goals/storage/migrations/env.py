"""How Alembic reaches the database: one connection, whose transaction is that of whoever called."""

from alembic import context

from perfcopilot_goals.schemas import SCHEMA

context.configure(connection=context.config.attributes["conn"], version_table_schema=SCHEMA)
with context.begin_transaction():
    context.run_migrations()
