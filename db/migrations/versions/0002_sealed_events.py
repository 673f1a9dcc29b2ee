"""Events are only ever added and are sealed; files remember when they were last checked."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_DIGEST = sa.String(64)
_CHECKED = ("sighting", "derivative")
_GUARDED = ("agent", "event", "seal")
_GUARDED_BY_ID = ("event", "seal")


def upgrade() -> None:
    op.create_table(
        "seal",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("form", sa.Integer(), nullable=False),
        sa.Column("first_event_id", sa.BigInteger(), nullable=False),
        sa.Column("last_event_id", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("sha256", _DIGEST, nullable=False),
        sa.Column("previous_sha256", _DIGEST, nullable=False),
        sa.Column("sealed_at", _TIME, nullable=False),
        sa.CheckConstraint(
            "events > 0 AND first_event_id <= last_event_id", name=op.f("ck_seal_covers_events")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seal")),
    )
    for table in _CHECKED:
        op.add_column(table, sa.Column("fixity", sa.String(40), nullable=True))
        op.add_column(table, sa.Column("fixity_at", _TIME, nullable=True))
        op.create_index(f"ix_{table}_fixity_at_id", table, ["fixity_at", "id"])
    if op.get_bind().dialect.name == "postgresql":
        schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
        statements = [statement.replace("SCHEMA", schema) for statement in _POSTGRESQL]
    else:
        statements = list(_SQLITE)
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION event_horizon()")
        for table in _GUARDED:
            op.execute(f"DROP TRIGGER {table}_only_grows ON {table}")
        op.execute("DROP FUNCTION refuse_change()")
    else:
        for table in _GUARDED:
            op.execute(f"DROP TRIGGER {table}_never_updated")
            op.execute(f"DROP TRIGGER {table}_never_deleted")
        for table in _GUARDED_BY_ID:
            op.execute(f"DROP TRIGGER {table}_never_replaced")
    for table in _CHECKED:
        op.drop_index(f"ix_{table}_fixity_at_id", table)
        op.drop_column(table, "fixity_at")
        op.drop_column(table, "fixity")
    op.drop_table("seal")


def _refusal(table: str) -> str:
    return f"SELECT RAISE(ABORT, 'rows of {table} are only ever added')"


# INSERT OR REPLACE deletes a row without asking the DELETE trigger, so it is asked for before.
_SQLITE = (
    *(
        f"CREATE TRIGGER {table}_never_{change}d BEFORE {change} ON {table} BEGIN {_refusal(table)}; END"
        for table in _GUARDED
        for change in ("update", "delete")
    ),
    *(
        f"CREATE TRIGGER {table}_never_replaced BEFORE INSERT ON {table}"  # noqa: S608  (our own words)
        f" WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) BEGIN {_refusal(table)}; END"
        for table in _GUARDED_BY_ID
    ),
)

# `event_horizon` returns an id that no event will ever again come below or be at: it waits, with all writers
# behind it, until no transaction that has added events is open. A role without UPDATE may not lock a table,
# so that the function does it with its owner's rights.
_POSTGRESQL = (
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'rows of % are only ever added', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END $$
    """,
    *(
        f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        for table in _GUARDED
    ),
    """
    CREATE FUNCTION event_horizon() RETURNS bigint LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = SCHEMA, pg_temp AS $$
    BEGIN
        LOCK TABLE event IN SHARE MODE;
        RETURN (SELECT coalesce(max(id), 0) FROM event);
    END $$
    """,
    "REVOKE EXECUTE ON FUNCTION event_horizon() FROM PUBLIC",
)
