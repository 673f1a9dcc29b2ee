"""Which words the record uses for states, lanes, events and agents."""

from enum import StrEnum
from typing import Final

INBOX: Final = "inbox"
"""Name of the root that holds masters."""


class JobState(StrEnum):
    """Where a job is in its life: `queued -> running -> done | failed | cancelled`."""

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
    """What became of one file, derived from its sighting, its scan and the scan's jobs.

    A file with work under way is `running` or `queued`; else it is `done` if anything was ever made of it;
    else it shows why not. `registered` has no job (none was asked for, or it waits for the next rescan);
    `gone` left the inbox with nothing made of it and nothing under way.
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
    """By what the files and jobs in an overview were counted.

    `live` ones were counted just now. `census` are those of the last count, because counting takes long;
    `no-census` were counted just now although that takes long, because nobody had counted them before.
    """

    LIVE = "live"
    CACHED = "census"
    NOT_CACHED = "no-census"


class EventType(StrEnum):
    """What happened: PREMIS 3 eventType terms, then local terms where PREMIS has none."""

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
    """How an event ended: PREMIS 3 eventOutcome terms."""

    SUCCESS = "success"
    WARNING = "warning"
    FAIL = "fail"


class AgentKind(StrEnum):
    """Who or what can be answerable for an event: PREMIS 3 agentType terms, `model` being local."""

    SOFTWARE = "software"
    MODEL = "model"
    PERSON = "person"


class Holding(StrEnum):
    """Which kind of file the record answers for; a `link` is a derivative by one more name."""

    MASTER = "master"
    DERIVATIVE = "derivative"
    LINK = "link"


class Finding(StrEnum):
    """What a file was found to be when it was read again.

    `changed` holds other bytes than were recorded although nothing says that it was written to; `rewritten`
    is a master that was (its size or time differ too), which the rescan takes in. An `unreadable` file may be
    sound: the disk, the network or a missing right kept it from being read.
    """

    INTACT = "intact"
    CHANGED = "changed"
    REWRITTEN = "rewritten"
    MISSING = "missing"
    UNREADABLE = "unreadable"
