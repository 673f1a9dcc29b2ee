"""Whether the inbox and the outbox are the folders that they were, or bare mount points of an absent share.

An empty folder looks like a share that is away; to write into it, or to take all its files for deleted, would
do harm. So the outbox carries a mark, a hidden file that Saek writes there once: without it nothing is
written. Saek never writes to the inbox; there a mark is the archive's choice, and without one an inbox that
is bare all at once is not believed. What was seen is kept in the home of this host: mounts are a host's own.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from db.filesystems import mount_of
from restoration import MasterUnavailable, OutputUnavailable, Transient, write_file, writing_to
from worker.settings import Settings
from worker.storage.ignored_names import ignored_file, ignored_folder

OUTBOX_MARK: Final = ".saek-outbox"
INBOX_MARK: Final = ".saek-inbox"

MAX_VANISHED: Final = 20
"""So many files may vanish from an inbox of a known file system and leave it bare; more are not believed."""

_MEMORY: Final = "places.json"
_WORDS: Final = (
    "This folder is the outbox of a Saek station: it holds colored derivatives of monochrome scans.\n"
    "Saek writes only where this file lies, so that an empty mount point is not taken for the outbox.\n"
)


@dataclass(frozen=True, slots=True)
class KnownFolder:
    """How a folder was last seen when it was surely there."""

    path: str
    mount: str | None
    kind: str | None
    marked: bool


def require_outbox(settings: Settings, latest: Callable[[], Sequence[bytes]]) -> None:
    """Raise OutputUnavailable unless the outbox is the one that was written to before.

    `latest` returns the paths of derivatives that were made last; it is asked only where the mark is missing.
    An outbox that nothing was ever written to, or that holds one of those, is marked.

    Raises NoSpace too, if there is no room for the mark.
    """
    outbox = settings.outbox_path
    mark = outbox / OUTBOX_MARK
    if not os.path.lexists(mark):
        if (problem := outbox_problem(settings, latest())) is not None:
            raise problem
        with writing_to(outbox):
            mark.write_text(_WORDS, encoding="utf-8")
    _remember(settings, "outbox", _look(outbox, marked=True))


def require_mark(settings: Settings) -> None:
    """Raise OutputUnavailable if the outbox lost its mark since the work began, as by an unmount."""
    if not os.path.lexists(settings.outbox_path / OUTBOX_MARK):
        raise OutputUnavailable(
            reason=f"the outbox {settings.outbox_path} went away during the work: it lacks the file "
            f"{OUTBOX_MARK}",
            remedy="mount it again; work goes on by itself",
        )


def outbox_problem(settings: Settings, made: Sequence[bytes]) -> OutputUnavailable | None:
    """Return why the outbox is not the one that `made` was written to, None if it is; writes nothing."""
    outbox = settings.outbox_path
    mark = outbox / OUTBOX_MARK
    if os.path.lexists(mark):
        return None
    if not outbox.is_dir():
        return OutputUnavailable(
            reason=f"the outbox {outbox} is not there",
            remedy="mount it again; work goes on by itself",
        )
    before = _recall(settings, "outbox", outbox)
    known = bool(made) or (before is not None and before.marked)
    if known and not any(os.path.lexists(outbox / os.fsdecode(path)) for path in made):
        return OutputUnavailable(
            reason=f"{outbox} is not the outbox that it was: it lacks the file {OUTBOX_MARK} and what was "
            "made last, as an empty mount point would",
            remedy=f"mount the outbox again; work goes on by itself. If this folder is meant: touch '{mark}'",
        )
    return None


def require_inbox(settings: Settings, known: Callable[[int], int]) -> None:
    """Raise MasterUnavailable if the inbox is away: unreadable, without its mark, or bare all at once.

    `known(most)` returns how many files, up to `most`, the record has seen there and not known to be gone.
    """
    if (problem := inbox_problem(settings, known)) is not None:
        raise problem
    inbox = settings.inbox_path
    marked = os.path.lexists(inbox / INBOX_MARK)
    if marked or not _bare(inbox):
        _remember(settings, "inbox", _look(inbox, marked=marked))


def inbox_problem(settings: Settings, known: Callable[[int], int]) -> MasterUnavailable | None:
    """Return why the inbox is not believed, None if it is; writes nothing."""
    inbox = settings.inbox_path
    before = _recall(settings, "inbox", inbox)
    marked = os.path.lexists(inbox / INBOX_MARK)
    if before is not None and before.marked and not marked:
        return MasterUnavailable(
            reason=f"the inbox {inbox} lacks the file {INBOX_MARK} that it had",
            remedy=f"mount the inbox again; work goes on by itself. If this folder is meant: touch "
            f"'{inbox / INBOX_MARK}'",
        )
    try:
        if marked or not _bare(inbox):
            return None
    except MasterUnavailable as unreadable:
        return unreadable
    most = MAX_VANISHED if before == _look(inbox, marked=marked) else 1
    if known(most) >= most:
        return MasterUnavailable(
            reason=f"the inbox {inbox} is empty all at once, as an empty mount point would be",
            remedy="mount it again, or drop a file; work goes on by itself. If it is meant to be empty: "
            f"touch '{inbox / INBOX_MARK}'",
        )
    return None


def _bare(inbox: Path) -> bool:
    try:
        with os.scandir(os.fsencode(inbox)) as entries:
            for entry in entries:
                folder = entry.is_dir(follow_symlinks=False)
                if not (ignored_folder(entry.name) if folder else ignored_file(entry.name)):
                    return False
    except OSError as error:
        raise MasterUnavailable(
            reason=f"the inbox {inbox} cannot be read ({error.strerror})",
            remedy="mount it again, or give Saek the right to read it; work goes on by itself",
        ) from error
    return True


def _look(folder: Path, *, marked: bool) -> KnownFolder:
    mount = mount_of(folder)
    return KnownFolder(
        str(folder), str(mount.point) if mount else None, mount.kind if mount else None, marked
    )


def _recall(settings: Settings, name: str, folder: Path) -> KnownFolder | None:
    """Return how the folder was last seen, None if it never was; another folder of that name is not it."""
    told = _read(settings).get(name)
    try:
        seen = KnownFolder(**told) if isinstance(told, Mapping) else None
    except TypeError:
        return None
    return seen if seen is not None and seen.path == str(folder) else None


def _remember(settings: Settings, name: str, seen: KnownFolder) -> None:
    """Keep how a folder was seen. A home that cannot be written to is told of by whatever else needs it."""
    if _kept.get((settings.home, name)) == seen or _recall(settings, name, Path(seen.path)) == seen:
        _kept[settings.home, name] = seen
        return
    path = settings.home / _MEMORY
    try:
        write_file(path, json.dumps({**_read(settings), name: asdict(seen)}, indent=1).encode())
    except Transient:
        return
    _kept[settings.home, name] = seen


def _read(settings: Settings) -> dict[str, Any]:
    try:
        told = json.loads((settings.home / _MEMORY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


_kept: dict[tuple[Path, str], KnownFolder] = {}
"""What this process has seen on record already, so that it is not read again for every job."""
