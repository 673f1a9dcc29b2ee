"""Alembic environment: migrations use the connection and transaction of `db.migrations.runner`."""

from alembic import context

from db.core.schema import Base

# Both databases support DDL in a transaction; for SQLite, Alembic does not assume it.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
