"""Surveys: the result of the last scan of the inbox, and requests for another."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "survey",
        sa.Column("root", sa.String(length=40), nullable=False),
        sa.Column("taken_at", _TIME, nullable=True),
        sa.Column("facts", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("wanted_at", _TIME, nullable=True),
        sa.Column("wanted_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("root", name=op.f("pk_survey")),
    )


def downgrade() -> None:
    op.drop_table("survey")
