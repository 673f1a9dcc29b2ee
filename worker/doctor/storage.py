"""Checks of folders and disks: present, large enough and private."""

import contextlib
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

from worker.doctor.findings import Check, State
from worker.errors import HomeError
from worker.formatting import count
from worker.printable import printable
from worker.settings import Settings, Watch
from worker.storage.folders import nearest_folder, refuse_overlap, refuse_shared, refuse_world_writable

_SKEW_SECONDS = 60.0
_HOME_BYTES = 50_000_000
_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")
_FOLDERS_COUNTED = 200_000


def home(settings: Settings) -> Check:
    """Check that the home exists and that only its owner can write to it."""
    return folder_check("home", settings.home, "SAEK_HOME", writes=True)


def inbox(settings: Settings) -> Check:
    """Check that the inbox exists and can be read; Saek never writes there."""
    return folder_check("inbox", settings.inbox_path, "SAEK_INBOX", writes=False)


def outbox(settings: Settings) -> Check:
    """Check that the outbox exists and that only its owner can write to it."""
    return folder_check("outbox", settings.outbox_path, "SAEK_OUTBOX", writes=True)


def overlap(settings: Settings) -> Check:
    """Check that neither derivatives nor files of the station are in the inbox."""
    try:
        refuse_overlap(settings)
    except HomeError as error:
        return Check("overlap", State.FAILED, error.reason, error.remedy)
    return Check("overlap", State.OK, "inbox, outbox and home do not overlap")


def private(settings: Settings) -> Check:
    """Check that only this user can write to the folders of sockets, locks and messages."""
    for folder in (settings.run_path, settings.broker_data_path, settings.broker_socket.parent):
        if folder.exists():
            try:
                refuse_shared(folder)
            except HomeError as error:
                return Check("private", State.FAILED, error.reason, error.remedy)
    return Check("private", State.OK, "only this user can write sockets, locks and messages")


def disk(settings: Settings) -> Check:
    """Check the free space on the disks of outbox and home."""
    free = shutil.disk_usage(nearest_folder(settings.outbox_path)).free
    found = (
        f"{free / 1e9:,.1f} GB free for derivatives; work waits below {settings.min_free_bytes / 1e9:,.1f} GB"
    )
    if free < settings.min_free_bytes:
        return Check("disk", State.FAILED, found, "Free some space, or lower SAEK_MIN_FREE_BYTES.")
    if free < 4 * settings.min_free_bytes:
        return Check("disk", State.WARNING, found, "Free some space soon.")
    home = shutil.disk_usage(nearest_folder(settings.home)).free
    if home < _HOME_BYTES:
        return Check(
            "disk",
            State.FAILED,
            f"{home / 1e6:,.0f} MB free for record and queue in {settings.home}",
            "Free some space; without it nothing can be recorded.",
        )
    return Check("disk", State.OK, found)


def places(settings: Settings) -> Check:
    """Check that inbox and outbox are the recorded folders, not mount points of absent shares."""
    from db.catalog import latest_derivative_paths
    from db.core import open_database
    from restoration import Transient
    from worker.inbox.rescan import known_in_inbox
    from worker.storage.mounts import inbox_problem, outbox_problem

    if settings.database_url is None and not (settings.home / "saek.db").exists():
        return Check("places", State.OK, "not compared: there is no record yet")
    opened = open_database(settings.database_address())
    try:
        with opened.read() as s:
            latest = latest_derivative_paths(s)
        for problem in (outbox_problem(settings, latest), inbox_problem(settings, known_in_inbox(opened))):
            if isinstance(problem, Transient):
                return Check("places", State.FAILED, problem.reason, problem.remedy)
    finally:
        opened.dispose()
    return Check("places", State.OK, "inbox and outbox are the recorded folders")


def watching(settings: Settings) -> Check:
    """Check that new files are noticed: file system events, and enough watches in the kernel."""
    from db.filesystems import network_file_system
    from worker.inbox.inotify import watch_mode

    folder = nearest_folder(settings.inbox_path)
    kind = network_file_system(folder) or "a local disk"
    if watch_mode(settings) is Watch.POLLING:
        return Check("watching", State.OK, f"{kind}, polled every {settings.poll_seconds:g} s")
    if not _WATCHES.exists():
        return Check("watching", State.OK, f"{kind}, by file system events")
    folders, limit = _count_folders(folder), int(_WATCHES.read_text(encoding="ascii"))
    found = f"{kind}, by inotify: {folders:,} folders, kernel limit {limit:,} watches"
    if folders >= limit:
        return Check(
            "watching", State.FAILED, found, f"Run: sysctl fs.inotify.max_user_watches={4 * folders}"
        )
    if folders > limit // 2:
        return Check(
            "watching", State.WARNING, found, f"Run: sysctl fs.inotify.max_user_watches={4 * folders}"
        )
    return Check("watching", State.OK, found)


def looks(settings: Settings) -> Check:
    """Check that the last scan of the inbox could read all folders."""
    from db.catalog import last_survey
    from db.core import open_database

    if settings.database_url is None and not (settings.home / "saek.db").exists():
        return Check("looks", State.OK, "not checked: there is no record yet")
    opened = open_database(settings.database_address())
    try:
        with opened.read() as s:
            survey = last_survey(s)
    finally:
        opened.dispose()
    if survey is None:
        return Check("looks", State.OK, "the inbox was not scanned yet")
    if survey.refused:
        folders = "; ".join(f"{printable(one.display)}: {one.reason}" for one in survey.refused)
        remedies = "; ".join(dict.fromkeys(one.remedy for one in survey.refused))
        found = f"{count(survey.refused_folders, 'folder')} of the inbox cannot be read: {folders}"
        return Check("looks", State.WARNING, found, f"For each: {remedies}.")
    found = f"{count(survey.files, 'file')}, and {count(survey.sidecars, 'sidecar')} ignored"
    if survey.conflict_copies:
        copies = count(survey.conflict_copies, "conflict copy", "conflict copies")
        found += f"; {copies} of a sync tool: {', '.join(map(printable, survey.conflicts))}"
    return Check("looks", State.OK, found)


def clock(settings: Settings) -> Check:
    """Check that the clock is later than this release and agrees with the disk of the outbox."""
    now, built = time.time(), Path(__file__).stat().st_mtime
    if now < built:
        return Check(
            "clock",
            State.FAILED,
            "the clock is earlier than the release of this software",
            "Set the clock (NTP).",
        )
    folder = nearest_folder(settings.outbox_path)
    if not os.access(folder, os.W_OK):
        return Check("clock", State.OK, "not compared: the outbox is not writable")
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(b"?")
        probe.flush()
        skew = os.fstat(probe.fileno()).st_mtime - time.time()
    if abs(skew) > _SKEW_SECONDS:
        return Check(
            "clock",
            State.WARNING,
            f"the clock of the outbox disk differs by {skew:+.0f} s",
            "Set both clocks (NTP).",
        )
    return Check("clock", State.OK, f"agrees with the outbox disk; local time zone {time.strftime('%Z')}")


def folder_check(name: str, path: Path, setting: str, *, writes: bool) -> Check:
    """Check that a folder exists, can be read (and written, if Saek `writes`), and has the right owner."""
    if not path.exists():
        parent = nearest_folder(path)
        if os.access(parent, os.W_OK | os.X_OK):
            return Check(
                name,
                State.WARNING,
                f"{path} does not exist yet",
                "Start a station, which creates its folders.",
            )
        return Check(name, State.FAILED, f"{path} does not exist", f"Create it, or set {setting}.")
    if not stat.S_ISDIR(path.stat().st_mode):
        return Check(name, State.FAILED, f"{path} is not a folder", f"Move it away, or set {setting}.")
    needed = os.R_OK | os.X_OK | (os.W_OK if writes else 0)
    if not os.access(path, needed):
        wanted = "read and written" if writes else "read"
        return Check(
            name, State.FAILED, f"{path} cannot be {wanted}", f"Grant this user access, or set {setting}."
        )
    return _owned(name, path, writes=writes)


def _owned(name: str, path: Path, *, writes: bool) -> Check:
    """Check who can change files in a folder that exists."""
    try:
        refuse_world_writable(path)
    except HomeError as error:
        return Check(name, State.FAILED, error.reason, error.remedy)
    if writes and (owner := path.stat().st_uid) not in {0, os.geteuid()}:
        return Check(
            name,
            State.WARNING,
            f"{path} belongs to another user ({owner}), who can replace files in it",
            "Change its owner to the user that Saek runs as, unless this is intended.",
        )
    return Check(name, State.OK, str(path))


def _count_folders(root: Path) -> int:
    """Count folders up to a limit. os.walk is recursive up to Python 3.11 and fails at depth 1,000."""
    folders, pending = 0, [str(root)]
    while pending and folders < _FOLDERS_COUNTED:
        folders += 1
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            pending += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    return folders
