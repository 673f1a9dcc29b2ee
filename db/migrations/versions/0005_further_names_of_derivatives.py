"""Further names of derivatives in the outbox, and marks of scans whose names are due."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_LIVE = sa.text("withdrawn_at IS NULL")
_DUE = sa.text("names_due_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "link",
        sa.Column("id", _ID, nullable=False),
        sa.Column("derivative_id", _ID, nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("path_sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("display", sa.Text(), nullable=False),
        sa.Column("copied", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("withdrawn_at", _TIME, nullable=True),
        sa.Column("fixity", sa.String(40), nullable=True),
        sa.Column("fixity_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["derivative_id"], ["derivative.id"], name=op.f("fk_link_derivative_id_derivative")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link")),
    )
    op.create_index(
        "uq_link_live_path",
        "link",
        ["root", "path_sha256"],
        unique=True,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
    op.create_index("ix_link_fixity_at_id", "link", ["fixity_at", "id"])
    op.create_index(op.f("ix_link_derivative_id"), "link", ["derivative_id"])
    op.add_column("scan", sa.Column("names_due_at", _TIME, nullable=True))
    op.create_index(
        "ix_scan_names_due_at", "scan", ["names_due_at"], sqlite_where=_DUE, postgresql_where=_DUE
    )
    # What earlier releases colored once and saw at several places gets its other names.
    op.execute(
        "UPDATE scan SET names_due_at = first_seen_at WHERE id IN (SELECT scan_id FROM derivative) AND id IN"
        " (SELECT scan_id FROM sighting WHERE scan_id IS NOT NULL GROUP BY scan_id HAVING count(*) > 1)"
    )


def downgrade() -> None:
    op.drop_index("ix_scan_names_due_at", "scan")
    op.drop_column("scan", "names_due_at")
    op.drop_table("link")
