"""How the outbox mirrors the inbox: each file that holds a scan has what was made of it under its own name.

A derivative is written once, under the name of one of the files that held the scan then. Files that hold the
same bytes at other places, and those that were moved or renamed, get names of their own for it: hard links,
or copies where the file system has none. The name of a file that left stays until another one lies there.

The record says which scans are to be looked at: whatever changes their places or derivatives marks them in
the same transaction. A name is entered before it is given, and withdrawn after it was removed, so that a
process that is killed in between leaves no file that the record does not know, and the mark for the next
look. Names are only ever given where nothing lies, and only those are removed that came from a file of the
inbox which is gone, while another name of the same bytes lies where it should.
"""

import datetime as dt
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
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
    give_up_name,
    name_owner,
    names_are_due,
    names_settled,
    note_copies,
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

BATCH: Final = 25
"""So many scans are looked at in one go, and recorded in one transaction."""

_TERM: Final = dt.timedelta(seconds=60)
"""Whoever began to look at a scan has it for so long; what could not be done is tried again then."""

_REASONS: Final = {
    NameTaken: "another file has it",
    Damaged: "the bytes of the derivative are not those on record",
}

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
    database.run(partial(_reserve_all, looks=looks))
    ready = [look for look in looks if _give_names(look)]
    try:
        _conclude(ready, database, settings)
    except Transient:  # which of them it was shows when each is concluded by itself
        for look in ready:
            try:
                _conclude([look], database, settings)
            except Transient as passing:
                _tell(look.places.scan_id, passing)
    return len(due)


@dataclass(slots=True)
class _Want:
    """A derivative that lacks its name for one master, or whose name there lacks its sidecar.

    `choices` are the names that it may have but for those that were `refused`, `name` the one that it gets.
    """

    made: Named
    source: Path
    choices: list[bytes]
    refused: set[bytes] = field(default_factory=set)
    name: Name | None = None
    copied: bool = False


@dataclass(slots=True)
class _Look:
    """What is to be done for a scan, and what was: still to be recorded.

    `sound` are the names, by their paths, that were read and hold the recorded bytes.
    """

    database: Database
    settings: Settings
    places: Places
    wants: list[_Want] = field(default_factory=list)
    sound: set[bytes] = field(default_factory=set)
    folders: set[Path] = field(default_factory=set)


def _look_at(database: Database, settings: Settings, scan_id: int) -> _Look | None:
    """Find out which names the derivatives of a scan lack; None if that must wait."""
    with database.read() as s:
        found = places(s, scan_id, INBOX)
    if found is None:
        return None
    look = _Look(database, settings, found)
    try:
        for made in found.derivatives:
            _look_at_names(look, made)
    except Transient as passing:
        _tell(scan_id, passing)
        return None
    return look


def _look_at_names(look: _Look, made: Named) -> None:
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
        own = [name for name in lying if _is_wanted(name, [master], scan, made)]
        if not own:
            known = [name.path for name in made.names if _is_wanted(name, [master], scan, made)]
            names = derivative_names(master, scan.sha256, made.fingerprint, source.suffix)
            look.wants.append(_Want(made, source, [*known, *names]))
    for name, path in lying.items():
        if not os.path.lexists(sidecar_of(path)):
            look.wants.append(_Want(made, source, [name.path]))


def _reserve_all(s: Session, looks: Sequence[_Look]) -> None:
    """Enter the names that derivatives are about to get: whoever dies before that leaves no stray file."""
    for look in looks:
        for want in look.wants:
            _reserve(s, want, clock(s))


def _reserve(s: Session, want: _Want, now: dt.datetime) -> None:
    """Take the first choice that is free on record, or the derivative's own. May be done again."""
    want.name = None
    for path in want.choices:
        owner = name_owner(s, OUTBOX, path)
        if path in want.refused or owner not in {None, want.made.derivative_id}:
            continue
        want.name = Name(None, OUTBOX, path, display_name(path))
        if owner is None:
            enter_link(s, want.made.derivative_id, want.name, now=now)
        return


def _give_names(look: _Look) -> bool:
    """Give the names on the disk; False if that must wait."""
    try:
        for want in look.wants:
            while want.name is not None and not _give_name(look, want, want.name):
                pass
            if want.name is None:
                _log.warning("a derivative lacks a name", output=want.made.names[0].display)
        _look_into_copies(look)
    except Transient as passing:
        _tell(look.places.scan_id, passing)
        return False
    return True


def _give_name(look: _Look, want: _Want, name: Name) -> bool:
    """Give a derivative its name and sidecar there; where that cannot be, give the name up for the next."""
    made = want.made
    try:
        place = output_place(look.settings.outbox_path, name.path)
        room = partial(require_space, look.settings)
        want.copied = give_name(want.source, place, size=made.bytes, sha256=made.sha256, room=room)
    except (NameTaken, Damaged, MasterError) as error:
        reason = error.reason if isinstance(error, MasterError) else _REASONS[type(error)]
        _log.warning("a name is given up", output=name.display, reason=reason)
        want.refused.update([name.path] if isinstance(error, NameTaken) else want.choices)

        def choose_another(s: Session) -> None:
            give_up_name(s, made, name, reason, now=clock(s))
            _reserve(s, want, clock(s))

        look.database.run(choose_another)
        return False
    _give_sidecar(look.database, made, want.source, place)
    look.folders.add(place.parent)
    _log.info("named", output=name.display, copied=want.copied, scan=look.places.scan_id)
    return True


def _give_sidecar(database: Database, made: Named, source: Path, place: Path) -> None:
    """Put a sidecar beside a name: the one that lies beside the first, or one that is written anew."""
    old, new = sidecar_of(source), sidecar_of(place)
    try:
        if old != new and old.is_file() and not old.is_symlink():
            os.link(old, new, follow_symlinks=False)
            return
    except FileExistsError:
        return
    except OSError:
        pass  # no hard links here
    with database.read() as s:
        write_sidecar(s, made.job_id, place)


def _look_into_copies(look: _Look) -> None:
    """Read the names that are no links of each other, before one is withdrawn for the sake of another."""
    scan, outbox = look.places, look.settings.outbox_path
    for made in scan.derivatives:
        lying = {name.path: path for name, path in _lying(look.settings, made)}
        if all(_is_wanted(name, scan.present, scan, made) for name in made.names if name.path in lying):
            continue
        for want in look.wants:
            if want.made is made and want.name is not None:
                lying[want.name.path] = output_place(outbox, want.name.path)
        links: dict[tuple[int, int], list[bytes]] = {}
        for name, path in lying.items():
            status = path.lstat()
            links.setdefault((status.st_dev, status.st_ino), []).append(name)
        for names in links.values() if len(links) > 1 else ():
            if holds(lying[names[0]], made.bytes, made.sha256):
                look.sound.update(names)


def _conclude(looks: Sequence[_Look], database: Database, settings: Settings) -> None:
    """Bring names to the disk and withdraw others, for all scans or for none. Raises as `writing_to`."""
    settle({folder for look in looks for folder in look.folders}, settings.outbox_path)

    def record_all(s: Session) -> None:
        for look in looks:
            _record(s, look)

    if looks:
        database.run(record_all)


def _record(s: Session, look: _Look) -> None:
    """Note which names are copies, and withdraw those that are no longer wanted.

    What is on record by now decides: the scan is held meanwhile. It stays due if its places changed.
    """
    scan_id, now = look.places.scan_id, clock(s)
    scan = before = places_held(s, scan_id, INBOX)
    if before is None:
        return
    if copies := [want.name.path for want in look.wants if want.name is not None and want.copied]:
        note_copies(s, OUTBOX, copies)
    require_mark(look.settings)
    while scan is not None and _withdraw_one(s, look, scan, now):
        scan = places(s, scan_id, INBOX)
    if (before.present, _ids(before)) == (look.places.present, _ids(look.places)):
        names_settled(s, scan_id)
    else:
        names_are_due(s, [scan_id], now)


def _withdraw_one(s: Session, look: _Look, scan: Places, now: dt.datetime) -> bool:
    """Withdraw one name of a place that the scan left, if another lies where it should; tell whether.

    A name that was entered and never given, or removed and not withdrawn, goes as long as any other is there.
    """
    for made in scan.derivatives:
        lying = dict(_lying(look.settings, made))
        kept = [name for name in lying if _is_wanted(name, scan.present, scan, made)]
        for name in made.names:
            if _is_wanted(name, scan.present, scan, made) or not _is_wanted(name, scan.past, scan, made):
                continue
            stays = kept or ([] if name in lying else list(lying))
            if stays and _may_go(look, made, name, stays[0], emptied=not kept):
                withdraw_name(s, made, name, stays[0], now=now)
                return True
    return False


def _may_go(look: _Look, made: Named, name: Name, stays: Name, *, emptied: bool) -> bool:
    """Remove the file of a name unless it is somebody else's by now; return whether the name is free.

    With `emptied` no file is removed: the name goes only if there is none.
    """
    outbox = look.settings.outbox_path
    path, other = output_place(outbox, name.path), output_place(outbox, stays.path)
    if os.path.lexists(path):
        if emptied:
            return False
        if is_there(path, made.bytes) and path.samefile(other):
            if same_entry(path, other):
                return True
        elif not look.sound.issuperset({name.path, stays.path}):
            _log.warning("a name is kept: its file was changed", output=name.display)
            return False
        remove_name(path, outbox)
    beside = sidecar_of(path)
    if tells_of(beside, made.sha256):
        remove_name(beside, outbox)
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
