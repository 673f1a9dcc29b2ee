"""Cached counts, and indexes of waiting jobs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_QUEUED = sa.text("state = 'queued'")
_WAITS = sa.text("waiting_since IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "census",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("facts", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_census_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_census")),
    )
    op.drop_index("ix_job_state_lane_created_at", "job")
    op.create_index("ix_job_state_lane", "job", ["state", "lane"])
    op.create_index(
        "ix_job_lane_created_at_id",
        "job",
        ["lane", "created_at", "id"],
        sqlite_where=_QUEUED,
        postgresql_where=_QUEUED,
    )
    op.create_index(
        "ix_job_failure_code_waiting_since",
        "job",
        ["failure_code", "waiting_since"],
        sqlite_where=_WAITS,
        postgresql_where=_WAITS,
    )


def downgrade() -> None:
    op.drop_index("ix_job_failure_code_waiting_since", "job")
    op.drop_index("ix_job_lane_created_at_id", "job")
    op.drop_index("ix_job_state_lane", "job")
    op.create_index("ix_job_state_lane_created_at", "job", ["state", "lane", "created_at"])
    op.drop_table("census")
