"""Every failure of the moving parts that a user can meet.

    WorkerError
      SettingsError       a setting is missing, unknown or out of range
      HomeError           the station's folders overlap, are missing or cannot be written
        HomeBusy          another station runs in this home
      BrokerUnavailable   the message broker cannot be reached or started
      NothingFound        the selector matches nothing in the record
      MissingExtra        an optional part of the installation is not there
      ModelInUse          a model that is needed cannot be removed
      DownloadFailed      a file cannot be fetched now

Masters, models and pixels have their own tree in `restoration.errors`, the record in `db.errors`.
"""

from typing import ClassVar

from worker.exits import Exit


class WorkerError(Exception):
    """A failure with its reason, its remedy, and the exit code that the command line ends with."""

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
    """An optional part of the installation is not there."""

    exit_code = Exit.SETTINGS


class ModelInUse(WorkerError):
    """A model that is the default, or that jobs wait for, or that comes with Saek, cannot be removed."""

    exit_code = Exit.MODEL


class DownloadFailed(WorkerError):
    """The network or the server failed while a file was fetched; it may succeed later."""

    exit_code = Exit.RETRY


class NothingFound(WorkerError):
    """The selector matches nothing in the record."""

    exit_code = Exit.NOT_FOUND
