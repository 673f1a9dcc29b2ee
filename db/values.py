"""Facts that callers hand to the record and get back from it."""

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from db.vocabulary import AgentKind

FIRST_NS: Final = -(2**63)
LAST_NS: Final = 2**63 - 1
"""Earliest and latest file time that the record can hold, in ns: in the years 1677 and 2262."""

MISSING_FILE: Final = "missing-file"
"""Problem code of a scan whose file was gone when its job ran. Cleared when the file is back."""

MASTER_CHANGED: Final = "master-changed"
"""Problem code of a job whose file was replaced. Cleared when the same bytes are back."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A failure: a kebab-case code, the reason in words, and what to do about it."""

    code: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class AgentName:
    """A person, program or model. `version` is a release, a checksum of weights, or "" for a person."""

    kind: AgentKind
    name: str
    version: str = ""

    @staticmethod
    def person(name: str) -> "AgentName":
        """Return the agent for a person who gave a command."""
        return AgentName(AgentKind.PERSON, name)


SAEK: Final = AgentName(AgentKind.SOFTWARE, "saek", version("saek"))
"""This release of Saek: the agent of every event that names no other."""


@dataclass(frozen=True, slots=True)
class NewSighting:
    """A file as the file system shows it.

    `path` is relative to the named root, in the bytes of the file system. `display` is the same path as NFC
    text for people. `collection` is its folder as text, "" at the top of the root.
    """

    root: str
    path: bytes
    display: str
    collection: str
    size: int
    mtime_ns: int
    inode: int


class KnownSighting(NamedTuple):
    """A live sighting on record; `size` and `mtime_ns` are None if it must be read again."""

    id: int
    path_sha256: bytes
    size: int | None
    mtime_ns: int | None
    gone: bool
    problem_code: str | None


@dataclass(frozen=True, slots=True)
class NewScan:
    """The content of a file: its digest and the facts of its header, None where not identified."""

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
    """A file that a job made: its name (`path` relative to `root`), its properties and its measurements.

    `luma_max_error` and `luma_mean_error` are in levels of the master's bit depth. `seconds` is the duration
    of the restoration.
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


def kept_ns(time_ns: int) -> int:
    """Return a file time in ns as the record keeps it: clamped to the range that it can hold.

    Clamp times before comparing them with those on record.
    """
    return min(max(time_ns, FIRST_NS), LAST_NS)


def utcnow() -> dt.datetime:
    """Return the time now, aware, in UTC."""
    return dt.datetime.fromtimestamp(time.time(), dt.UTC)  # tests can replace `time`, not `now`
