"""Tables of the record, modeled on PREMIS: scans, sightings, jobs, derivatives, events, agents."""

import datetime as dt
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import BigInteger

from db.core.columns import (
    FileTime,
    FiniteFloat,
    Id,
    Inode,
    JsonObject,
    StorableText,
    UtcDateTime,
    enum_column,
)
from db.vocabulary import AgentKind, EventType, Finding, JobState, Lane, Outcome

_JOB_STATE = enum_column(JobState, "state_known", closed=True)
_LANE = enum_column(Lane, "lane_known", closed=True)
_FINDING = enum_column(Finding, "fixity_known", closed=False)


class Base(DeclarativeBase):
    """Base of all tables. Constraint names follow a convention, so that migrations can address them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        dt.datetime: UtcDateTime(),
        str: StorableText(),
        bytes: LargeBinary(),
        dict[str, Any]: JsonObject(),
    }


class Scan(Base):
    """The content of one or more identical files.

    `names_due_at` is when the names of its derivatives are to be updated to match its sightings, null when
    they match.
    """

    __tablename__ = "scan"
    __table_args__ = (
        Index(
            "ix_scan_names_due_at",
            "names_due_at",
            sqlite_where=text("names_due_at IS NOT NULL"),
            postgresql_where=text("names_due_at IS NOT NULL"),
        ),
        CheckConstraint("(problem_code IS NULL) = (quarantined_at IS NULL)", name="quarantine_is_dated"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    format: Mapped[str | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    bands: Mapped[int | None]
    bit_depth: Mapped[int | None]
    orientation: Mapped[int | None]
    icc_sha256: Mapped[str | None] = mapped_column(String(64))
    dpi: Mapped[float | None] = mapped_column(FiniteFloat)
    facts: Mapped[dict[str, Any]]
    first_seen_at: Mapped[dt.datetime]
    problem_code: Mapped[str | None]
    problem_reason: Mapped[str | None]
    problem_remedy: Mapped[str | None]
    quarantined_at: Mapped[dt.datetime | None]
    names_due_at: Mapped[dt.datetime | None]


class Sighting(Base):
    """A file at a path; it is live until other content at the same path supersedes it.

    `path` is bytes because file names are. Uniqueness goes by the digest of the path: an index entry of
    PostgreSQL holds 2,704 bytes, a path up to 4,095. `size` and `mtime_ns` are null if the file must be read
    again. `fixity` is the finding of the last check, null before the first.
    """

    __tablename__ = "sighting"
    __table_args__ = (
        Index(
            "uq_sighting_live_path",
            "root",
            "path_sha256",
            unique=True,
            sqlite_where=text("superseded_at IS NULL"),
            postgresql_where=text("superseded_at IS NULL"),
        ),
        Index("ix_sighting_fixity_at_id", "fixity_at", "id"),
        CheckConstraint("scan_id IS NOT NULL OR problem_code IS NOT NULL", name="has_a_scan_or_a_problem"),
        CheckConstraint("(problem_code IS NULL) = (quarantined_at IS NULL)", name="quarantine_is_dated"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    root: Mapped[str]
    path: Mapped[bytes]
    path_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    display: Mapped[str]
    collection: Mapped[str]
    size: Mapped[int | None] = mapped_column(BigInteger)
    mtime_ns: Mapped[int | None] = mapped_column(FileTime)
    inode: Mapped[int | None] = mapped_column(Inode)
    scan_id: Mapped[int | None] = mapped_column(ForeignKey("scan.id"), index=True)
    first_seen_at: Mapped[dt.datetime]
    last_seen_at: Mapped[dt.datetime]
    superseded_at: Mapped[dt.datetime | None]
    gone_at: Mapped[dt.datetime | None]
    problem_code: Mapped[str | None]
    problem_reason: Mapped[str | None]
    problem_remedy: Mapped[str | None]
    quarantined_at: Mapped[dt.datetime | None]
    fixity: Mapped[Finding | None] = mapped_column(_FINDING)
    fixity_at: Mapped[dt.datetime | None]


class Model(Base):
    """A generator with its weights."""

    __tablename__ = "model"
    __table_args__ = (UniqueConstraint("name", "weights_sha256"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str]
    weights_sha256: Mapped[str] = mapped_column(String(64))
    card: Mapped[dict[str, Any]]


class Recipe(Base):
    """All settings that determine the pixels of a derivative, under their fingerprint."""

    __tablename__ = "recipe"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    body: Mapped[dict[str, Any]]
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"), index=True)
    created_at: Mapped[dt.datetime]


class Job(Base):
    """The application of one recipe to one scan; exactly the running jobs are leased."""

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("scan_id", "recipe_id"),
        Index("ix_job_state_lane", "state", "lane"),
        Index(
            "ix_job_lane_created_at_id",
            "lane",
            "created_at",
            "id",
            sqlite_where=text("state = 'queued'"),
            postgresql_where=text("state = 'queued'"),
        ),
        Index(
            "ix_job_failure_code_waiting_since",
            "failure_code",
            "waiting_since",
            sqlite_where=text("waiting_since IS NOT NULL"),
            postgresql_where=text("waiting_since IS NOT NULL"),
        ),
        CheckConstraint(
            "(state = 'running') = (lease_owner IS NOT NULL)"
            " AND (lease_owner IS NULL) = (lease_expires_at IS NULL)",
            name="leased_while_running",
        ),
        CheckConstraint(
            "(state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)", name="end_is_dated"
        ),
        CheckConstraint("attempts BETWEEN 0 AND max_attempts", name="attempts_within_bounds"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"))
    recipe_id: Mapped[int] = mapped_column(ForeignKey("recipe.id"), index=True)
    state: Mapped[JobState] = mapped_column(_JOB_STATE)
    lane: Mapped[Lane] = mapped_column(_LANE)
    attempts: Mapped[int]
    max_attempts: Mapped[int]
    requested_by: Mapped[str]
    created_at: Mapped[dt.datetime]
    queued_at: Mapped[dt.datetime]
    published_at: Mapped[dt.datetime | None]
    not_before: Mapped[dt.datetime | None]
    wait_reason: Mapped[str | None]
    waiting_since: Mapped[dt.datetime | None]
    lease_owner: Mapped[str | None]
    lease_token: Mapped[int] = mapped_column(BigInteger)
    lease_expires_at: Mapped[dt.datetime | None]
    started_at: Mapped[dt.datetime | None]
    heartbeat_at: Mapped[dt.datetime | None]
    progress_stage: Mapped[str | None]
    progress_done: Mapped[int] = mapped_column(BigInteger)
    progress_total: Mapped[int] = mapped_column(BigInteger)
    cancel_requested: Mapped[bool]
    finished_at: Mapped[dt.datetime | None]
    failure_code: Mapped[str | None]
    failure_reason: Mapped[str | None]
    failure_remedy: Mapped[str | None]


class Derivative(Base):
    """A file that a job made from a scan; no two were ever written to the same path.

    `path` is its first name in the outbox; `Link` has the others. `fixity` is the finding of the last check,
    null before the first.
    """

    __tablename__ = "derivative"
    __table_args__ = (
        UniqueConstraint("root", "path_sha256"),
        Index("ix_derivative_fixity_at_id", "fixity_at", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), unique=True)
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"), index=True)
    recipe_id: Mapped[int] = mapped_column(ForeignKey("recipe.id"), index=True)
    root: Mapped[str]
    path: Mapped[bytes]
    path_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    display: Mapped[str]
    format: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    bit_depth: Mapped[int]
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    pixel_sha256: Mapped[str] = mapped_column(String(64))
    luma_max_error: Mapped[float]
    luma_mean_error: Mapped[float]
    engine: Mapped[str]
    software: Mapped[str]
    weights_sha256: Mapped[str] = mapped_column(String(64))
    seconds: Mapped[float]
    facts: Mapped[dict[str, Any]]
    created_at: Mapped[dt.datetime] = mapped_column(index=True)
    fixity: Mapped[Finding | None] = mapped_column(_FINDING)
    fixity_at: Mapped[dt.datetime | None]


class Link(Base):
    """A further name of a derivative in the outbox: a hard link, or a copy where links are unsupported.

    `Derivative` has the first name. Withdrawn links stay on record; live ones are unique.
    """

    __tablename__ = "link"
    __table_args__ = (
        Index(
            "uq_link_live_path",
            "root",
            "path_sha256",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
        Index("ix_link_fixity_at_id", "fixity_at", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    derivative_id: Mapped[int] = mapped_column(ForeignKey("derivative.id"), index=True)
    root: Mapped[str]
    path: Mapped[bytes]
    path_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    display: Mapped[str]
    copied: Mapped[bool]
    created_at: Mapped[dt.datetime]
    withdrawn_at: Mapped[dt.datetime | None]
    fixity: Mapped[Finding | None] = mapped_column(_FINDING)
    fixity_at: Mapped[dt.datetime | None]


class Agent(Base):
    """The person, program or model that is responsible for an event. Append-only, enforced by triggers."""

    __tablename__ = "agent"
    __table_args__ = (UniqueConstraint("kind", "name", "version"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[AgentKind] = mapped_column(enum_column(AgentKind, "kind_known", closed=True))
    name: Mapped[str]
    version: Mapped[str]


class Event(Base):
    """Something that happened. Append-only, enforced by triggers."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    type: Mapped[EventType] = mapped_column(enum_column(EventType, "type_known", closed=False))
    at: Mapped[dt.datetime] = mapped_column(index=True)
    outcome: Mapped[Outcome] = mapped_column(enum_column(Outcome, "outcome_known", closed=True))
    detail: Mapped[dict[str, Any]]
    agent_id: Mapped[int] = mapped_column(ForeignKey("agent.id"), index=True)
    scan_id: Mapped[int | None] = mapped_column(ForeignKey("scan.id"), index=True)
    sighting_id: Mapped[int | None] = mapped_column(ForeignKey("sighting.id"), index=True)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"), index=True)
    derivative_id: Mapped[int | None] = mapped_column(ForeignKey("derivative.id"), index=True)


class Seal(Base):
    """A block of the hash chain: the digest of a run of events and of the seal before. Append-only.

    Seal N covers the events after `last_event_id` of seal N - 1 up to its own. `db.audit.canonical_form`
    defines the digest.
    """

    __tablename__ = "seal"
    __table_args__ = (
        CheckConstraint("events > 0 AND first_event_id <= last_event_id", name="covers_events"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    form: Mapped[int]
    first_event_id: Mapped[int] = mapped_column(BigInteger)
    last_event_id: Mapped[int] = mapped_column(BigInteger)
    events: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    previous_sha256: Mapped[str] = mapped_column(String(64))
    sealed_at: Mapped[dt.datetime]


class LanePause(Base):
    """Pause of a lane, or of "all"; the row stays after a resume and names who resumed it."""

    __tablename__ = "control"
    __table_args__ = (CheckConstraint("scope IN ('all', 'interactive', 'bulk')", name="scope_known"),)

    scope: Mapped[str] = mapped_column(String(16), primary_key=True)
    paused: Mapped[bool]
    since: Mapped[dt.datetime]
    by: Mapped[str]


class CachedCounts(Base):
    """The last count of files and jobs by state; at most one row."""

    __tablename__ = "census"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    taken_at: Mapped[dt.datetime]
    facts: Mapped[dict[str, Any]]


class Survey(Base):
    """The result of the last walk through a root, and when another one was requested."""

    __tablename__ = "survey"

    root: Mapped[str] = mapped_column(String(40), primary_key=True)
    taken_at: Mapped[dt.datetime | None]
    facts: Mapped[dict[str, Any]]
    wanted_at: Mapped[dt.datetime | None]
    wanted_by: Mapped[str | None]
