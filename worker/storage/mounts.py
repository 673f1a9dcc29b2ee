"""Mount checks: whether inbox and outbox are the folders they were, or empty mount points of an absent share.

To write into an empty mount point, or to take all of its files for deleted, would do harm. So the outbox has
a mark, a hidden file that Saek writes there once: nothing is written without it. Saek never writes to the
inbox. There the mark is optional, and an unmarked inbox that is suddenly empty counts as away. The last state
of both folders is kept in the home, since mounts belong to a host.
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
"""Number of files from which on an inbox on the same mount that is suddenly empty counts as away."""

_STATES_FILE: Final = "places.json"
_MARK_TEXT: Final = (
    "This folder is the outbox of a Saek station: it holds colored derivatives of monochrome scans.\n"
    "Saek writes only where this file is, so that an empty mount point is not taken for the outbox.\n"
)


@dataclass(frozen=True, slots=True)
class FolderState:
    """The state of a folder when it was last known to be there."""

    path: str
    mount: str | None
    kind: str | None
    marked: bool


def require_outbox(settings: Settings, latest: Callable[[], Sequence[bytes]]) -> None:
    """Raise OutputUnavailable unless the outbox is the one that was written to before.

    `latest` returns the paths of the newest derivatives; it is called only if the mark is missing. A new
    outbox, or one that holds any of these derivatives, gets the mark.

    Raises NoSpace too, if there is no space for the mark.
    """
    outbox = settings.outbox_path
    mark = outbox / OUTBOX_MARK
    if not os.path.lexists(mark):
        if (problem := outbox_problem(settings, latest())) is not None:
            raise problem
        with writing_to(outbox):
            mark.write_text(_MARK_TEXT, encoding="utf-8")
    _store(settings, "outbox", _current_state(outbox, marked=True))


def require_mark(settings: Settings) -> None:
    """Raise OutputUnavailable if the outbox lost its mark during the work, as by an unmount."""
    if not os.path.lexists(settings.outbox_path / OUTBOX_MARK):
        raise OutputUnavailable(
            reason=f"the outbox {settings.outbox_path} disappeared during the work: it lacks the file "
            f"{OUTBOX_MARK}",
            remedy="mount it again; work continues automatically",
        )


def outbox_problem(settings: Settings, latest: Sequence[bytes]) -> OutputUnavailable | None:
    """Return why the outbox is not the one with the derivatives `latest`, None if it is; writes nothing."""
    outbox = settings.outbox_path
    mark = outbox / OUTBOX_MARK
    if os.path.lexists(mark):
        return None
    if not outbox.is_dir():
        return OutputUnavailable(
            reason=f"the outbox {outbox} is not there",
            remedy="mount it again; work continues automatically",
        )
    last = _last_state(settings, "outbox", outbox)
    known = bool(latest) or (last is not None and last.marked)
    if known and not any(os.path.lexists(outbox / os.fsdecode(path)) for path in latest):
        return OutputUnavailable(
            reason=f"{outbox} is not the same outbox as before: it lacks the file {OUTBOX_MARK} and the "
            "newest derivatives, as an empty mount point would",
            remedy="mount the outbox again; work continues automatically. If this is the right folder: "
            f"touch '{mark}'",
        )
    return None


def require_inbox(settings: Settings, known: Callable[[int], int]) -> None:
    """Raise MasterUnavailable if the inbox is away: unreadable, without its mark, or suddenly empty.

    `known(limit)` returns the number of files on record that are not gone, counted up to `limit`.
    """
    if (problem := inbox_problem(settings, known)) is not None:
        raise problem
    inbox = settings.inbox_path
    marked = os.path.lexists(inbox / INBOX_MARK)
    if marked or not _is_empty(inbox):
        _store(settings, "inbox", _current_state(inbox, marked=marked))


def inbox_problem(settings: Settings, known: Callable[[int], int]) -> MasterUnavailable | None:
    """Return why the inbox counts as away, None if it is there; writes nothing."""
    inbox = settings.inbox_path
    last = _last_state(settings, "inbox", inbox)
    marked = os.path.lexists(inbox / INBOX_MARK)
    if last is not None and last.marked and not marked:
        return MasterUnavailable(
            reason=f"the inbox {inbox} lacks the file {INBOX_MARK} that it had",
            remedy=f"mount the inbox again; work continues automatically. If this is the right folder: touch "
            f"'{inbox / INBOX_MARK}'",
        )
    try:
        if marked or not _is_empty(inbox):
            return None
    except MasterUnavailable as unreadable:
        return unreadable
    limit = MAX_VANISHED if last == _current_state(inbox, marked=marked) else 1
    if known(limit) >= limit:
        return MasterUnavailable(
            reason=f"the inbox {inbox} is suddenly empty, as an empty mount point would be",
            remedy="mount it again, or drop a file; work continues automatically. "
            f"If it is meant to be empty: touch '{inbox / INBOX_MARK}'",
        )
    return None


def _is_empty(inbox: Path) -> bool:
    try:
        with os.scandir(os.fsencode(inbox)) as entries:
            for entry in entries:
                folder = entry.is_dir(follow_symlinks=False)
                if not (ignored_folder(entry.name) if folder else ignored_file(entry.name)):
                    return False
    except OSError as error:
        raise MasterUnavailable(
            reason=f"the inbox {inbox} cannot be read ({error.strerror})",
            remedy="mount it again, or grant permission to read it; work continues automatically",
        ) from error
    return True


def _current_state(folder: Path, *, marked: bool) -> FolderState:
    mount = mount_of(folder)
    return FolderState(
        str(folder), str(mount.point) if mount else None, mount.kind if mount else None, marked
    )


def _last_state(settings: Settings, name: str, folder: Path) -> FolderState | None:
    """Return the stored state of the folder, None if there is none for this path."""
    entry = _read(settings).get(name)
    try:
        state = FolderState(**entry) if isinstance(entry, Mapping) else None
    except TypeError:
        return None
    return state if state is not None and state.path == str(folder) else None


def _store(settings: Settings, name: str, state: FolderState) -> None:
    """Store the state of a folder. A home that is not writable is reported elsewhere."""
    if _stored.get((settings.home, name)) == state or _last_state(settings, name, Path(state.path)) == state:
        _stored[settings.home, name] = state
        return
    path = settings.home / _STATES_FILE
    try:
        write_file(path, json.dumps({**_read(settings), name: asdict(state)}, indent=1).encode())
    except Transient:
        return
    _stored[settings.home, name] = state


def _read(settings: Settings) -> dict[str, Any]:
    try:
        states = json.loads((settings.home / _STATES_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return states if isinstance(states, dict) else {}


_stored: dict[tuple[Path, str], FolderState] = {}
"""The states that this process has stored or read, so that the file is not read for every job."""
