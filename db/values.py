"""Which facts callers hand to the record and get back from it."""

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from db.vocabulary import AgentKind

FIRST_NS: Final = -(2**63)
LAST_NS: Final = 2**63 - 1
"""The earliest and the latest time of a file that the record can hold: in the years 1677 and 2262."""

MISSING_FILE: Final = "missing-file"
"""Problem code of a scan whose file was gone when its job ran; the file's return lifts it."""

MASTER_CHANGED: Final = "master-changed"
"""Problem code of a job whose file was replaced; the return of the same bytes lifts it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something did not work: a kebab-case code, a reason in words, and what to do about it."""

    code: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class AgentName:
    """Who or what did something. `version` is a release, a checksum of weights, or empty for a person."""

    kind: AgentKind
    name: str
    version: str = ""

    @staticmethod
    def person(name: str) -> "AgentName":
        """Return the agent for a person who gave an order."""
        return AgentName(AgentKind.PERSON, name)


SAEK: Final = AgentName(AgentKind.SOFTWARE, "saek", version("saek"))
"""This software, in this release: the agent of every event that names no other."""


@dataclass(frozen=True, slots=True)
class NewSighting:
    """One file as the file system showed it.

    `path` is relative to the named root, as the bytes of the file system; `display` is the same as NFC text
    for people; `collection` is its folder as text, "" at the top of the root.
    """

    root: str
    path: bytes
    display: str
    collection: str
    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class NewScan:
    """One content: its digest and what the header says. What could not be identified stays `None`."""

    sha256: str
    bytes: int
    format: str | None = None
    width: int | None = None
    height: int | None = None
    bands: int | None = None
    bit_depth: int | None = None
    orientation: int | None = None
    icc_sha256: str | None = None
    dpi: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewDerivative:
    """One file that was made: where it lies (`path` relative to `root`), what it is, how it was measured.

    `luma_max_error` and `luma_mean_error` are in levels of the master's own bit depth; `seconds` is the time
    that the restoration took.
    """

    path: bytes
    display: str
    format: str
    width: int
    height: int
    bit_depth: int
    bytes: int
    sha256: str
    pixel_sha256: str
    luma_max_error: float
    luma_mean_error: float
    engine: str
    software: str
    weights_sha256: str
    seconds: float
    root: str = "outbox"
    facts: Mapping[str, Any] = field(default_factory=dict)


class KnownFile(NamedTuple):
    """What was last known of a path; `size` and `mtime_ns` are `None` when it must be looked at anew."""

    path: bytes
    size: int | None
    mtime_ns: int | None
    gone: bool
    problem_code: str | None


class KnownSighting(NamedTuple):
    """The same of a path that is named by its sha256; `id` is that of the live sighting."""

    id: int
    path_sha256: bytes
    size: int | None
    mtime_ns: int | None
    gone: bool
    problem_code: str | None


def kept_ns(time_ns: int) -> int:
    """Return the time of a file in ns as the record keeps it: what lies beyond its range is at the end of it.

    Times that are compared with those on record go through here first.
    """
    return min(max(time_ns, FIRST_NS), LAST_NS)


def utcnow() -> dt.datetime:
    """Return the time now, aware, in UTC."""
    return dt.datetime.fromtimestamp(time.time(), dt.UTC)  # which tests can turn, unlike `now`
