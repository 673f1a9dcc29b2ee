"""Safety checks for the folders of a station: separate from each other, and protected from other users."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from db.filesystems import mounts
from worker.errors import HomeError
from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class Location:
    """The device of a folder and its path there, independent of the mount point that leads to it."""

    device: str
    path: PurePosixPath

    def holds(self, other: "Location") -> bool:
        """Return whether the other one is this folder or is below it."""
        return self.device == other.device and other.path.is_relative_to(self.path)


def require_safe_folders(settings: Settings) -> None:
    """Raise HomeError unless the existing folders are separate and protected from other users."""
    refuse_overlap(settings)
    for folder in (settings.home, settings.inbox_path, settings.outbox_path, settings.models_path):
        if folder.exists():
            refuse_other_than_folder(folder)
            refuse_world_writable(folder)
    for folder in (settings.run_path, settings.broker_data_path, settings.broker_socket.parent):
        if folder.exists():
            refuse_shared(folder)


def refuse_overlap(settings: Settings) -> None:
    """Raise HomeError if inbox and outbox overlap with each other or with the station's own folders.

    Links and bind mounts are resolved.
    """
    home, inbox, outbox = (
        location_of(folder) for folder in (settings.home, settings.inbox_path, settings.outbox_path)
    )
    if inbox.holds(outbox) or outbox.holds(inbox):
        raise HomeError(
            reason=f"The inbox {settings.inbox_path} and the outbox {settings.outbox_path} overlap: "
            "derivatives would become masters.",
            remedy="Give SAEK_INBOX and SAEK_OUTBOX folders of their own.",
        )
    for name, folder in (("inbox", inbox), ("outbox", outbox)):
        if folder.holds(home):
            raise HomeError(
                reason=f"The {name} contains the station's home {settings.home}: settings and record would "
                "be among the pictures.",
                remedy=f"Give SAEK_{name.upper()} a folder outside or below the home.",
            )
        for own in (settings.models_path, settings.run_path, settings.broker_data_path, settings.log_path):
            if folder.holds(location_of(own)) or location_of(own).holds(folder):
                raise HomeError(
                    reason=f"The {name} and {own}, where the station keeps its own files, overlap.",
                    remedy=f"Give SAEK_{name.upper()} a folder of its own.",
                )


def refuse_other_than_folder(path: Path) -> None:
    """Raise HomeError if the path is not a folder."""
    if not path.is_dir():
        raise HomeError(
            reason=f"{path} is not a folder.", remedy="Move it away, or name another folder in the settings."
        )


def refuse_unwritable(folder: Path) -> None:
    """Raise HomeError if this user lacks the right to write to an existing folder.

    A folder that is away or on a read-only file system may come back and is waited for.
    """
    if not folder.exists() or os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return
    raise HomeError(
        reason=f"{folder} cannot be written by this user.",
        remedy=f"Run: chown {os.geteuid()} '{folder}' (as its owner or root), or set another SAEK_OUTBOX.",
    )


def refuse_world_writable(folder: Path) -> None:
    """Raise HomeError if every user of the machine may write to `folder`, even if it is sticky.

    Nor may they replace it: a folder above it that all may write to must be sticky.
    """
    if folder.stat().st_mode & stat.S_IWOTH:
        raise HomeError(
            reason=f"{folder} can be written by every user of this machine.",
            remedy=f"Run: chmod o-w '{folder}'",
        )
    for above in folder.resolve().parents:
        mode = above.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise HomeError(
                reason=f"{folder} can be replaced by every user of this machine: they may write to {above}.",
                remedy=f"Run: chmod o-w '{above}' (or chmod +t, if all must write there)",
            )


def refuse_shared(folder: Path) -> None:
    """Raise HomeError unless only this user can write to a folder of sockets, locks or messages."""
    status = folder.stat()
    if status.st_uid != os.geteuid():
        raise HomeError(
            reason=f"{folder} belongs to another user ({status.st_uid}), who could pose as the broker.",
            remedy="Remove it, or run every part as that one user.",
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise HomeError(
            reason=f"{folder} can be written by other users, who could pose as the broker.",
            remedy=f"Run: chmod go-w '{folder}'",
        )


def nearest_folder(path: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def location_of(folder: Path, mountinfo: str | None = None) -> Location:
    """Return the location of a folder, which need not exist; `mountinfo` is that of /proc/self."""
    resolved = folder.resolve()
    holder = None
    for mount in mounts(mountinfo):
        # Later mounts cover earlier ones, hence >=.
        if resolved.is_relative_to(mount.point) and (
            holder is None or len(mount.point.parts) >= len(holder.point.parts)
        ):
            holder = mount
    if holder is None:
        return Location("", PurePosixPath(resolved))
    return Location(holder.device, PurePosixPath(holder.root) / resolved.relative_to(holder.point))
