"""How Alembic reaches the database: one connection, one transaction for all migrations."""

import sqlalchemy
from alembic import context

from perfcopilot_goals.storage.database import SCHEMA

engine = sqlalchemy.create_engine(
    "postgresql+psycopg://", creator=context.config.attributes["open"], poolclass=sqlalchemy.NullPool
)
with engine.connect() as connection:
    context.configure(connection=connection, version_table_schema=SCHEMA)
    with context.begin_transaction():
        context.run_migrations()
