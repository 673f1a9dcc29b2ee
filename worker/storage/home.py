"""The home of a station: its folders, its lock, and whether it has a record."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.errors import SchemaOutOfDate
from worker.errors import HomeBusy, HomeError
from worker.settings import Settings
from worker.storage.folders import refuse_overlap, require_safe_folders


def prepare_home(settings: Settings) -> None:
    """Create missing folders and refuse unsafe ones.

    Raises:
        HomeError: folders overlap, are writable by others, or cannot be created.
    """
    refuse_overlap(settings)
    for folder in (settings.home, settings.inbox_path, settings.outbox_path, settings.log_path):
        _create(folder, 0o755)
    for private in (settings.run_path, settings.broker_data_path, settings.broker_socket.parent):
        _create(private, 0o700)
    require_safe_folders(settings)


@contextmanager
def station_lock(settings: Settings) -> Iterator[None]:
    """Hold the home for one station; the kernel releases the lock when the process ends.

    Raises:
        HomeBusy: another station holds it.
    """
    path = settings.run_path / "station.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise HomeBusy(
                reason=f"A station (process {holder}) already runs in {settings.home}.",
                remedy="Stop it first, or give this one another SAEK_HOME.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def require_record(settings: Settings) -> None:
    """Raise SchemaOutOfDate where there is no record yet."""
    if not has_record(settings):
        raise SchemaOutOfDate(
            reason=f"There is no record in {settings.home}",
            remedy="start a station there (`saek station`), or name another home with --home or SAEK_HOME",
        )


def has_record(settings: Settings) -> bool:
    """Return whether there is a record; opening a missing one would create an empty file."""
    return settings.database_url is not None or (settings.home / "saek.db").is_file()


def is_station_running(settings: Settings) -> bool:
    """Return whether a station is running in this home."""
    path = settings.run_path / "station.lock"
    if not path.exists():
        return False
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _create(folder: Path, mode: int) -> None:
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(
            reason=f"The folder {folder} cannot be created: {error.strerror}.",
            remedy="Create it yourself, or choose another SAEK_HOME.",
        ) from error
