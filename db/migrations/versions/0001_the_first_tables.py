"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_DIGEST = sa.String(64)


def _words(name: str, *words: str) -> sa.Enum:
    """Return text that a CHECK constraint holds to a vocabulary."""
    return sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=40)


def upgrade() -> None:
    op.create_table(
        "agent",
        sa.Column("id", _ID, nullable=False),
        sa.Column("kind", _words("kind_known", "software", "model", "person"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent")),
        sa.UniqueConstraint("kind", "name", "version", name=op.f("uq_agent_kind_name_version")),
    )
    op.create_table(
        "control",
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint("scope IN ('all', 'interactive', 'bulk')", name=op.f("ck_control_scope_known")),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_control")),
    )
    op.create_table(
        "model",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("weights_sha256", _DIGEST, nullable=False),
        sa.Column("card", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model")),
        sa.UniqueConstraint("name", "weights_sha256", name=op.f("uq_model_name_weights_sha256")),
    )
    op.create_table(
        "scan",
        sa.Column("id", _ID, nullable=False),
        sa.Column("sha256", _DIGEST, nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.Text(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("bands", sa.Integer(), nullable=True),
        sa.Column("bit_depth", sa.Integer(), nullable=True),
        sa.Column("orientation", sa.Integer(), nullable=True),
        sa.Column("icc_sha256", _DIGEST, nullable=True),
        sa.Column("dpi", sa.Double(), nullable=True),
        sa.Column("facts", _JSON, nullable=False),
        sa.Column("first_seen_at", _TIME, nullable=False),
        sa.Column("problem_code", sa.Text(), nullable=True),
        sa.Column("problem_reason", sa.Text(), nullable=True),
        sa.Column("problem_remedy", sa.Text(), nullable=True),
        sa.Column("quarantined_at", _TIME, nullable=True),
        sa.CheckConstraint(
            "(problem_code IS NULL) = (quarantined_at IS NULL)", name=op.f("ck_scan_quarantine_is_dated")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan")),
        sa.UniqueConstraint("sha256", name=op.f("uq_scan_sha256")),
    )
    op.create_table(
        "recipe",
        sa.Column("id", _ID, nullable=False),
        sa.Column("fingerprint", _DIGEST, nullable=False),
        sa.Column("body", _JSON, nullable=False),
        sa.Column("model_id", _ID, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_recipe_model_id_model")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipe")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_recipe_fingerprint")),
    )
    op.create_index("ix_recipe_model_id", "recipe", ["model_id"])

    op.create_table(
        "sighting",
        sa.Column("id", _ID, nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("path_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("display", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=True),
        sa.Column("inode", sa.BigInteger(), nullable=True),
        sa.Column("scan_id", _ID, nullable=True),
        sa.Column("first_seen_at", _TIME, nullable=False),
        sa.Column("last_seen_at", _TIME, nullable=False),
        sa.Column("superseded_at", _TIME, nullable=True),
        sa.Column("gone_at", _TIME, nullable=True),
        sa.Column("problem_code", sa.Text(), nullable=True),
        sa.Column("problem_reason", sa.Text(), nullable=True),
        sa.Column("problem_remedy", sa.Text(), nullable=True),
        sa.Column("quarantined_at", _TIME, nullable=True),
        sa.CheckConstraint(
            "(problem_code IS NULL) = (quarantined_at IS NULL)", name=op.f("ck_sighting_quarantine_is_dated")
        ),
        sa.CheckConstraint(
            "scan_id IS NOT NULL OR problem_code IS NOT NULL",
            name=op.f("ck_sighting_has_a_scan_or_a_problem"),
        ),
        sa.ForeignKeyConstraint(["scan_id"], ["scan.id"], name=op.f("fk_sighting_scan_id_scan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sighting")),
    )
    op.create_index("ix_sighting_scan_id", "sighting", ["scan_id"])
    op.create_index(
        "uq_sighting_live_path",
        "sighting",
        ["root", "path_sha256"],
        unique=True,
        sqlite_where=sa.text("superseded_at IS NULL"),
        postgresql_where=sa.text("superseded_at IS NULL"),
    )

    op.create_table(
        "job",
        sa.Column("id", _ID, nullable=False),
        sa.Column("scan_id", _ID, nullable=False),
        sa.Column("recipe_id", _ID, nullable=False),
        sa.Column(
            "state", _words("state_known", "queued", "running", "done", "failed", "cancelled"), nullable=False
        ),
        sa.Column("lane", _words("lane_known", "interactive", "bulk"), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("queued_at", _TIME, nullable=False),
        sa.Column("published_at", _TIME, nullable=True),
        sa.Column("not_before", _TIME, nullable=True),
        sa.Column("wait_reason", sa.Text(), nullable=True),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_token", sa.BigInteger(), nullable=False),
        sa.Column("lease_expires_at", _TIME, nullable=True),
        sa.Column("started_at", _TIME, nullable=True),
        sa.Column("heartbeat_at", _TIME, nullable=True),
        sa.Column("progress_stage", sa.Text(), nullable=True),
        sa.Column("progress_done", sa.BigInteger(), nullable=False),
        sa.Column("progress_total", sa.BigInteger(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("finished_at", _TIME, nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("failure_reason", sa.Text(), nullable=True),
        sa.Column("failure_remedy", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(state = 'running') = (lease_owner IS NOT NULL)"
            " AND (lease_owner IS NULL) = (lease_expires_at IS NULL)",
            name=op.f("ck_job_leased_while_running"),
        ),
        sa.CheckConstraint(
            "(state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)",
            name=op.f("ck_job_end_is_dated"),
        ),
        sa.CheckConstraint("attempts BETWEEN 0 AND max_attempts", name=op.f("ck_job_attempts_within_bounds")),
        sa.ForeignKeyConstraint(["recipe_id"], ["recipe.id"], name=op.f("fk_job_recipe_id_recipe")),
        sa.ForeignKeyConstraint(["scan_id"], ["scan.id"], name=op.f("fk_job_scan_id_scan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("scan_id", "recipe_id", name=op.f("uq_job_scan_id_recipe_id")),
    )
    op.create_index("ix_job_recipe_id", "job", ["recipe_id"])
    op.create_index("ix_job_state_lane_created_at", "job", ["state", "lane", "created_at"])

    op.create_table(
        "derivative",
        sa.Column("id", _ID, nullable=False),
        sa.Column("job_id", _ID, nullable=False),
        sa.Column("scan_id", _ID, nullable=False),
        sa.Column("recipe_id", _ID, nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("path_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("display", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("bit_depth", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", _DIGEST, nullable=False),
        sa.Column("pixel_sha256", _DIGEST, nullable=False),
        sa.Column("luma_max_error", sa.Double(), nullable=False),
        sa.Column("luma_mean_error", sa.Double(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("software", sa.Text(), nullable=False),
        sa.Column("weights_sha256", _DIGEST, nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("facts", _JSON, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_derivative_job_id_job")),
        sa.ForeignKeyConstraint(["recipe_id"], ["recipe.id"], name=op.f("fk_derivative_recipe_id_recipe")),
        sa.ForeignKeyConstraint(["scan_id"], ["scan.id"], name=op.f("fk_derivative_scan_id_scan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_derivative")),
        sa.UniqueConstraint("job_id", name=op.f("uq_derivative_job_id")),
        sa.UniqueConstraint("root", "path_sha256", name=op.f("uq_derivative_root_path_sha256")),
    )
    op.create_index("ix_derivative_created_at", "derivative", ["created_at"])
    op.create_index("ix_derivative_recipe_id", "derivative", ["recipe_id"])
    op.create_index("ix_derivative_scan_id", "derivative", ["scan_id"])

    op.create_table(
        "event",
        sa.Column("id", _ID, nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("outcome", _words("outcome_known", "success", "warning", "fail"), nullable=False),
        sa.Column("detail", _JSON, nullable=False),
        sa.Column("agent_id", _ID, nullable=False),
        sa.Column("scan_id", _ID, nullable=True),
        sa.Column("sighting_id", _ID, nullable=True),
        sa.Column("job_id", _ID, nullable=True),
        sa.Column("derivative_id", _ID, nullable=True),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name=op.f("fk_event_agent_id_agent")),
        sa.ForeignKeyConstraint(
            ["derivative_id"], ["derivative.id"], name=op.f("fk_event_derivative_id_derivative")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_event_job_id_job")),
        sa.ForeignKeyConstraint(["scan_id"], ["scan.id"], name=op.f("fk_event_scan_id_scan")),
        sa.ForeignKeyConstraint(["sighting_id"], ["sighting.id"], name=op.f("fk_event_sighting_id_sighting")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index("ix_event_agent_id", "event", ["agent_id"])
    op.create_index("ix_event_at", "event", ["at"])
    op.create_index("ix_event_derivative_id", "event", ["derivative_id"])
    op.create_index("ix_event_job_id", "event", ["job_id"])
    op.create_index("ix_event_scan_id", "event", ["scan_id"])
    op.create_index("ix_event_sighting_id", "event", ["sighting_id"])


def downgrade() -> None:
    op.drop_table("event")
    op.drop_table("derivative")
    op.drop_table("job")
    op.drop_table("sighting")
    op.drop_table("recipe")
    op.drop_table("scan")
    op.drop_table("model")
    op.drop_table("control")
    op.drop_table("agent")
