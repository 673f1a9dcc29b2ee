"""How the outbox mirrors the inbox: each file that holds a scan has what was made of it under its own name.

A derivative is written once, under the name of one of the files that held the scan then. Files that hold the
same bytes at other places, and those that were moved or renamed, get names of their own for it: hard links,
or copies where the file system has none. The name of a file that left stays until another one lies there.

The record says which scans are to be looked at: whatever changes their places or derivatives marks them in
the same transaction. A process that is killed between a link and its record leaves the mark, and the next
look finds the link. Names are only ever given where nothing lies, and only those are removed that came from a
file of the inbox which is gone, while another name of the same bytes lies where it should.
"""

import datetime as dt
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.orm import Session

from db.clock import clock
from db.engine import Database, open_database
from db.links import (
    Name,
    Named,
    Places,
    due_scans,
    enter_link,
    name_owner,
    names_are_due,
    names_settled,
    places,
    places_held,
    put_off,
    withdraw_name,
)
from db.recovery import latest_derivatives
from restoration import MasterError, Transient
from worker.chores import Chore, start_chore
from worker.intake import INBOX, display_name
from worker.linking import Damaged, NameTaken, give_name, holds, is_there, remove_name, same_entry, settle
from worker.locating import output_place
from worker.outputs import OUTBOX, derivative_names, mirrors, require_space
from worker.places import require_mark, require_outbox
from worker.settings import Settings
from worker.sidecars import sidecar_of, tells_of, write_sidecar

BATCH: Final = 50
"""So many scans are looked at in one go, and recorded in one transaction."""

_TERM: Final = dt.timedelta(seconds=60)
"""Whoever began to look at a scan has it for so long; what could not be done is tried again then."""

_PAUSE: Final = 1.0
_PAUSE_AWAY: Final = 10.0

_log = structlog.get_logger()


def start_mirror(settings: Settings, stop: threading.Event) -> threading.Thread:
    """Start a thread that keeps the outbox a mirror until `stop` is set; what fails is tried again."""
    database = open_database(settings.database_address(), patience=settings.lease_seconds)
    chore = Chore(
        name="mirror",
        do=partial(mirror, database, settings),
        pause=_pause,
        first_pause=_PAUSE,
        delayed="further names of derivatives are not given yet",
        failed="further names of derivatives could not be given",
    )
    return start_chore(chore, stop)


def _pause(looked_at: int | None, _: float) -> float:
    if looked_at is None:
        return _PAUSE_AWAY
    return 0.0 if looked_at == BATCH else _PAUSE


def mirror(database: Database, settings: Settings) -> int | None:
    """Look at the names of the scans that are due; return of how many, None while the outbox is away.

    Raises `DatabaseUnavailable`; nothing is lost then.
    """
    with database.read() as s:
        due = due_scans(s, BATCH)
    if not due:
        return 0
    try:
        require_outbox(settings, partial(_latest, database))
    except Transient as away:
        _log.warning("waiting", code=away.code, reason=away.reason, remedy=away.remedy)
        return None
    taken = database.run(lambda s: put_off(s, due, _TERM))
    looks = [look for scan_id in sorted(taken) if (look := _look_at(database, settings, scan_id)) is not None]
    try:
        _conclude(looks, database, settings)
    except Transient:  # which of them it was shows when each is concluded by itself
        for look in looks:
            try:
                _conclude([look], database, settings)
            except Transient as passing:
                _tell(look.places.scan_id, passing)
    return len(due)


@dataclass(slots=True)
class _Look:
    """What was done for a scan, still to be recorded.

    `given` are names that derivatives got, and whether by a copy; `sound` are those, by their paths, that
    were read and hold the recorded bytes.
    """

    database: Database
    settings: Settings
    places: Places
    given: list[tuple[int, Name, bool]] = field(default_factory=list)
    sound: set[bytes] = field(default_factory=set)
    folders: set[Path] = field(default_factory=set)


def _look_at(database: Database, settings: Settings, scan_id: int) -> _Look | None:
    """Give the derivatives of a scan the names that they lack, on the disk alone; None if that must wait."""
    with database.read() as s:
        found = places(s, scan_id, INBOX)
    if found is None:
        return None
    look = _Look(database, settings, found)
    try:
        for made in found.derivatives:
            _give_names(look, made)
    except Transient as passing:
        _tell(scan_id, passing)
        return None
    return look


def _give_names(look: _Look, made: Named) -> None:
    scan, lying = look.places, dict(_lying(look.settings, made))
    if not lying:
        _log.warning(
            "a derivative lies under none of its names",
            output=made.names[0].display,
            remedy="restore it from a backup, then run: saek verify --derivatives",
        )
        return
    source = next(iter(lying.values()))
    for master in scan.present:
        if not any(_is_wanted(name, [master], scan, made) for name in lying):
            given = _give_name(look, made, master, source)
            if given is not None:
                lying[given] = output_place(look.settings.outbox_path, given.path)
    if any(not _is_wanted(name, scan.present, scan, made) for name in lying):
        _look_into_copies(look, made, lying)


def _give_name(look: _Look, made: Named, master: bytes, source: Path) -> Name | None:
    """Give a derivative its name for one master; return it, or None if it cannot be had."""
    scan, outbox = look.places, look.settings.outbox_path
    known = [name.path for name in made.names if _is_wanted(name, [master], scan, made)]
    for path in (*known, *derivative_names(master, scan.sha256, made.fingerprint, source.suffix)):
        with look.database.read() as s:
            if name_owner(s, OUTBOX, path) not in {None, made.derivative_id}:
                continue
        room = partial(require_space, look.settings)
        try:
            place = output_place(outbox, path)
            copied = give_name(source, place, size=made.bytes, sha256=made.sha256, room=room)
        except NameTaken:
            _log.warning("another file has this name", output=display_name(path))
            continue
        except (Damaged, MasterError) as error:
            reason = error.reason if isinstance(error, MasterError) else "its bytes are not those on record"
            _log.warning("a derivative gets no further name", output=made.names[0].display, reason=reason)
            return None
        _give_sidecar(look.database, made, source, place)
        name = Name(None, OUTBOX, path, display_name(path))
        look.folders.add(place.parent)
        look.given.append((made.derivative_id, name, copied))
        _log.info("named", output=name.display, copied=copied, scan=scan.scan_id)
        return name
    _log.warning("all names of a derivative are taken", output=made.names[0].display)
    return None


def _give_sidecar(database: Database, made: Named, source: Path, place: Path) -> None:
    """Put a sidecar beside the new name: the one that lies beside the old one, or one written anew."""
    old, new = sidecar_of(source), sidecar_of(place)
    try:
        if old.is_file() and not old.is_symlink():
            os.link(old, new, follow_symlinks=False)
            return
    except FileExistsError:
        return
    except OSError:
        pass  # no hard links here
    with database.read() as s:
        write_sidecar(s, made.job_id, place)


def _look_into_copies(look: _Look, made: Named, lying: Mapping[Name, Path]) -> None:
    """Read the names that are no links of each other, before one is withdrawn for the sake of another."""
    links: dict[tuple[int, int], list[Name]] = {}
    for name, path in lying.items():
        status = path.lstat()
        links.setdefault((status.st_dev, status.st_ino), []).append(name)
    for names in links.values() if len(links) > 1 else ():
        if holds(lying[names[0]], made.bytes, made.sha256):
            look.sound.update(name.path for name in names)


def _conclude(looks: Sequence[_Look], database: Database, settings: Settings) -> None:
    """Bring names to the disk and enter them, for all scans or for none. Raises as `writing_to`."""
    settle({folder for look in looks for folder in look.folders}, settings.outbox_path)

    def record_all(s: Session) -> None:
        for look in looks:
            _record(s, look)

    if looks:
        database.run(record_all)


def _record(s: Session, look: _Look) -> None:
    """Enter the names that were given and withdraw those that are no longer wanted.

    What is on record by now decides: the scan is held meanwhile. It stays due if its places changed.
    """
    scan_id, now = look.places.scan_id, clock(s)
    before = places_held(s, scan_id, INBOX)
    if before is None:
        return
    for derivative_id, name, copied in look.given:
        enter_link(s, derivative_id, name, copied=copied, now=now)
    require_mark(look.settings)
    while _withdraw_one(s, look, now):
        pass
    if (before.present, _ids(before)) == (look.places.present, _ids(look.places)):
        names_settled(s, scan_id)
    else:
        names_are_due(s, [scan_id], now)


def _withdraw_one(s: Session, look: _Look, now: dt.datetime) -> bool:
    """Withdraw one name of a place that the scan left, if another lies where it should; tell whether."""
    scan = places(s, look.places.scan_id, INBOX)
    if scan is None:
        return False
    for made in scan.derivatives:
        lying = dict(_lying(look.settings, made))
        kept = [name for name in lying if _is_wanted(name, scan.present, scan, made)]
        for name in made.names if kept else ():
            if _is_wanted(name, scan.present, scan, made) or not _is_wanted(name, scan.past, scan, made):
                continue
            if _may_go(look, made, name, kept[0]):
                withdraw_name(s, made, name, kept[0], now=now)
                return True
    return False


def _may_go(look: _Look, made: Named, name: Name, stays: Name) -> bool:
    """Remove the file of a name unless it is somebody else's by now; return whether the name is free."""
    outbox = look.settings.outbox_path
    path, other = output_place(outbox, name.path), output_place(outbox, stays.path)
    if not os.path.lexists(path):
        return True
    if is_there(path, made.bytes) and path.samefile(other):
        if same_entry(path, other):
            return True
    elif not look.sound.issuperset({name.path, stays.path}):
        _log.warning("a name is kept: its file was changed", output=name.display)
        return False
    beside = sidecar_of(path)
    if tells_of(beside, made.sha256):
        remove_name(beside, outbox)
    remove_name(path, outbox)
    return True


def _lying(settings: Settings, made: Named) -> Iterator[tuple[Name, Path]]:
    """Yield the names of a derivative under which a file of its size lies, and where that is."""
    for name in made.names:
        try:
            path = output_place(settings.outbox_path, name.path)
        except MasterError as error:
            _log.warning("passed over", output=name.display, code=error.code, reason=error.reason)
            continue
        if name.root == OUTBOX and is_there(path, made.bytes):
            yield name, path


def _is_wanted(name: Name, masters: Iterable[bytes], scan: Places, made: Named) -> bool:
    """Whether one of these masters would have its derivative under this name."""
    return any(mirrors(name.path, master, scan.sha256, made.fingerprint) for master in masters)


def _ids(scan: Places) -> list[int]:
    return [made.derivative_id for made in scan.derivatives]


def _latest(database: Database) -> list[bytes]:
    with database.read() as s:
        return latest_derivatives(s)


def _tell(scan_id: int, passing: Transient) -> None:
    _log.warning("waiting", scan=scan_id, code=passing.code, reason=passing.reason, remedy=passing.remedy)
