"""Alembic's environment: one connection, handed over by turno_lms.warehouse.migrate."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=None, version_table_schema="public", transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()
