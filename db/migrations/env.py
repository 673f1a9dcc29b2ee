"""How Alembic runs a step: over the connection and in the transaction of `db.migrations.runner`."""

from alembic import context

from db.core.schema import Base

# A database can do DDL in a transaction, SQLite too; Alembic would not ask it to of its own accord.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
