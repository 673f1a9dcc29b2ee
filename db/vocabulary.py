"""Closed vocabularies of the record: states, lanes, event types, outcomes, agents, findings."""

from enum import StrEnum
from typing import Final

INBOX: Final = "inbox"
"""Name of the root that holds masters."""


class JobState(StrEnum):
    """State of a job: `queued -> running -> done | failed | cancelled`."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Lane(StrEnum):
    """The queue that a job waits in; `interactive` always goes before `bulk`."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class FileState(StrEnum):
    """State of a file, derived from its sighting, its scan and the scan's jobs.

    A file with unfinished work is `running` or `queued`. Otherwise it is `done` if it has a derivative, or
    else shows why it has none. `registered` has no job: none was requested, or it waits for the next rescan.
    `gone` left the inbox without a derivative and without unfinished work.
    """

    DONE = "done"
    RUNNING = "running"
    QUEUED = "queued"
    QUARANTINED = "quarantined"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REGISTERED = "registered"
    GONE = "gone"


class Basis(StrEnum):
    """Source of the counts of files and jobs in an overview.

    `live`: counted now. `census`: the cached counts, because counting takes long. `no-census`: counted now
    although it takes long, because no counts were cached yet.
    """

    LIVE = "live"
    CACHED = "census"
    NOT_CACHED = "no-census"


class EventType(StrEnum):
    """Types of events: PREMIS 3 eventType terms, then local terms where PREMIS has none."""

    CREATION = "creation"
    DELETION = "deletion"
    FIXITY_CHECK = "fixity check"
    FORMAT_IDENTIFICATION = "format identification"
    INGESTION = "ingestion"
    MESSAGE_DIGEST_CALCULATION = "message digest calculation"
    POLICY_ASSIGNMENT = "policy assignment"
    REPLICATION = "replication"
    QUARANTINE = "quarantine"
    UNQUARANTINE = "unquarantine"
    VALIDATION = "validation"

    DISAPPEARANCE = "disappearance"
    REAPPEARANCE = "reappearance"
    REPLACEMENT = "replacement"
    JOB_STATE_CHANGE = "job state change"
    RECOVERY = "recovery"


class Outcome(StrEnum):
    """Outcome of an event: PREMIS 3 eventOutcome terms."""

    SUCCESS = "success"
    WARNING = "warning"
    FAIL = "fail"


class AgentKind(StrEnum):
    """Kind of agent that is responsible for an event: PREMIS 3 agentType terms; `model` is local."""

    SOFTWARE = "software"
    MODEL = "model"
    PERSON = "person"


class Holding(StrEnum):
    """Kind of file that is checked for fixity; a `link` is a further name of a derivative."""

    MASTER = "master"
    DERIVATIVE = "derivative"
    LINK = "link"


class Finding(StrEnum):
    """Result of a fixity check.

    `changed`: other bytes than recorded, although size and time do not show that the file was written to.
    `rewritten`: a master whose size or time changed too; the rescan takes it in. `unreadable`: the disk, the
    network or missing rights prevented reading; the file itself may be intact.
    """

    INTACT = "intact"
    CHANGED = "changed"
    REWRITTEN = "rewritten"
    MISSING = "missing"
    UNREADABLE = "unreadable"
