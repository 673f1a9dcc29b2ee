"""Errors of the queue, the station and the command line, each with a reason, a remedy and an exit code.

::

    WorkerError
    ├── SettingsError           a setting is missing, unknown or out of range
    ├── HomeError               the station's folders overlap, are missing or cannot be written
    │   └── HomeBusy            another station runs in this home
    ├── BrokerUnavailable       the message broker cannot be reached or started
    ├── MissingExtra            an optional part of the installation is not there
    ├── ModelInUse              a model that is needed cannot be removed
    ├── DownloadFailed          a file cannot be fetched now
    └── NothingFound            the selector matches nothing in the record

The trees of `restoration.errors` (masters, models, pixels) and `db.errors` (the record) have the same shape.
"""

from pathlib import Path
from typing import ClassVar

from worker.exits import Exit


class WorkerError(Exception):
    """A failure with a stable `code` (kebab-case), a `reason`, a `remedy` and, where known, the `path`."""

    code: ClassVar[str] = "worker-error"
    exit_code: ClassVar[Exit] = Exit.INTERNAL
    """With which the command line ends."""

    def __init__(self, *, reason: str, remedy: str, path: Path | str | None = None) -> None:
        super().__init__(f"{reason} {remedy}")
        self.reason = reason
        self.remedy = remedy
        self.path = None if path is None else Path(path)

    def __reduce__(self) -> tuple[object, ...]:
        """Make the error picklable, for its way from a worker process to the parent."""
        return _rebuild, (type(self), self.reason, self.remedy, self.path)


def _rebuild(kind: type[WorkerError], reason: str, remedy: str, path: Path | None) -> WorkerError:
    return kind(reason=reason, remedy=remedy, path=path)


class SettingsError(WorkerError):
    """A setting is missing, unknown or out of range."""

    code = "settings"
    exit_code = Exit.SETTINGS


class HomeError(WorkerError):
    """The station's folders overlap, are missing or cannot be written."""

    code = "home"
    exit_code = Exit.SETTINGS


class HomeBusy(HomeError):
    """Another station already runs in this home."""

    code = "home-busy"
    exit_code = Exit.BUSY


class BrokerUnavailable(WorkerError):
    """The message broker cannot be reached or started."""

    code = "broker-unavailable"
    exit_code = Exit.BROKER


class MissingExtra(WorkerError):
    """An optional dependency is not installed."""

    code = "missing-extra"
    exit_code = Exit.SETTINGS


class ModelInUse(WorkerError):
    """A model that is the default, or needed by jobs, or shipped with Saek cannot be removed."""

    code = "model-in-use"
    exit_code = Exit.MODEL


class DownloadFailed(WorkerError):
    """The network or the server failed during a download; it may succeed later."""

    code = "download-failed"
    exit_code = Exit.RETRY


class NothingFound(WorkerError):
    """Nothing on record matches the selection."""

    code = "nothing-found"
    exit_code = Exit.NOT_FOUND
