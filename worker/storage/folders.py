"""Which folders a station may use: apart from each other, and changed by nobody who should not."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from db.filesystems import mounts
from worker.errors import HomeError
from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class Location:
    """Where a folder lies on its device, by whichever mount point it is reached."""

    device: str
    path: PurePosixPath

    def holds(self, other: "Location") -> bool:
        """Whether the other one is this folder or lies below it."""
        return self.device == other.device and other.path.is_relative_to(self.path)


def require_safe_folders(settings: Settings) -> None:
    """Raise HomeError unless the folders, as far as they exist, are apart and safe from other users."""
    refuse_overlap(settings)
    for folder in (settings.home, settings.inbox_path, settings.outbox_path, settings.models_path):
        if folder.exists():
            refuse_other_than_folder(folder)
            refuse_world_writable(folder)
    for folder in (settings.run_path, settings.broker_data_path, settings.broker_socket.parent):
        if folder.exists():
            refuse_shared(folder)


def refuse_overlap(settings: Settings) -> None:
    """Raise HomeError if derivatives would land in the inbox, or one holds the station's own files.

    Links and bind mounts are seen through.
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
                reason=f"The {name} holds the station's home {settings.home}: settings and record would lie "
                "among pictures.",
                remedy=f"Give SAEK_{name.upper()} a folder outside or below the home.",
            )
        for own in (settings.models_path, settings.run_path, settings.broker_data_path, settings.log_path):
            if folder.holds(location_of(own)) or location_of(own).holds(folder):
                raise HomeError(
                    reason=f"The {name} and {own}, where the station keeps files of its own, overlap.",
                    remedy=f"Give SAEK_{name.upper()} a folder of its own.",
                )


def refuse_other_than_folder(path: Path) -> None:
    """Raise HomeError if something else than a folder lies where one is needed."""
    if not path.is_dir():
        raise HomeError(
            reason=f"{path} is no folder.", remedy="Move it away, or name another folder in the settings."
        )


def refuse_unwritable(folder: Path) -> None:
    """Raise HomeError if this user lacks the right to write into a folder that exists.

    One that is away, or that is read-only as a whole, may come back and is waited for.
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
    """Raise HomeError if every user of the machine may write into `folder` (a sticky folder is no excuse).

    Nor may they exchange it: a folder above it that all may write to must be sticky.
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
                reason=f"{folder} can be exchanged by every user of this machine: they may write to {above}.",
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
    """Return the folder itself, or the nearest one above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def location_of(folder: Path, mountinfo: str | None = None) -> Location:
    """Return where a folder lies, or will lie; `mountinfo` is the text of /proc/self/mountinfo."""
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
