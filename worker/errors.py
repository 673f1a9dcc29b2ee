"""Errors of the inbox, the queue, the station and the command line.

    WorkerError
      SettingsError       a setting is missing, unknown or out of range
      HomeError           the station's folders overlap, are missing or cannot be written
        HomeBusy          another station runs in this home
      BrokerUnavailable   the message broker cannot be reached or started
      NothingFound        nothing on record matches the selection
      MissingExtra        an optional dependency is not installed
      ModelInUse          a model that is needed cannot be removed
      DownloadFailed      a download failed and may succeed later

Masters, models and pixels have their own errors in `restoration.errors`, the record in `db.errors`.
"""

from typing import ClassVar

from worker.exits import Exit


class WorkerError(Exception):
    """An error with reason, remedy and the exit code of the command line."""

    exit_code: ClassVar[Exit] = Exit.INTERNAL

    def __init__(self, *, reason: str, remedy: str) -> None:
        super().__init__(f"{reason} {remedy}")
        self.reason = reason
        self.remedy = remedy


class SettingsError(WorkerError):
    """A setting is missing, unknown or out of range."""

    exit_code = Exit.SETTINGS


class HomeError(WorkerError):
    """The station's folders overlap, are missing or cannot be written."""

    exit_code = Exit.SETTINGS


class HomeBusy(HomeError):
    """Another station already runs in this home."""

    exit_code = Exit.BUSY


class BrokerUnavailable(WorkerError):
    """The message broker cannot be reached or started."""

    code: ClassVar[str] = "broker-unavailable"
    exit_code = Exit.BROKER


class MissingExtra(WorkerError):
    """An optional dependency is not installed."""

    exit_code = Exit.SETTINGS


class ModelInUse(WorkerError):
    """A model that is the default, or needed by jobs, or shipped with Saek cannot be removed."""

    exit_code = Exit.MODEL


class DownloadFailed(WorkerError):
    """The network or the server failed during a download; it may succeed later."""

    exit_code = Exit.RETRY


class NothingFound(WorkerError):
    """Nothing on record matches the selection."""

    exit_code = Exit.NOT_FOUND
