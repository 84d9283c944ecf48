"""Runs our revisions on the connection that the caller put into the configuration."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table="mlmd_alembic_version")
with context.begin_transaction():
    context.run_migrations()
