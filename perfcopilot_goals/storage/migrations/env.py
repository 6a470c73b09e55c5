"""How Alembic reaches the database: one connection, one transaction for all migrations."""

import sqlalchemy
from alembic import context

from perfcopilot_goals.storage.database import SCHEMA

url = sqlalchemy.make_url(context.config.attributes["database_url"]).set(drivername="postgresql+psycopg")
engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, hide_parameters=True)
with engine.connect() as connection:
    context.configure(connection=connection, version_table_schema=SCHEMA)
    with context.begin_transaction():
        context.run_migrations()
