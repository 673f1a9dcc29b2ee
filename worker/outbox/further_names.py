"""Which names in the outbox the derivatives of one scan lack, and how they get them."""

import datetime as dt
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.orm import Session

from db.catalog import (
    DerivativeName,
    NamedDerivative,
    ScanPlaces,
    abandon_name,
    enter_link,
    name_owner,
    scan_places,
)
from db.core import Database, current_time
from db.vocabulary import INBOX
from restoration import MasterError, Transient
from worker.outbox.links import ChecksumMismatch, NameTaken, has_bytes, has_size, link_or_copy
from worker.outbox.paths import OUTBOX, derivative_names, is_derivative_name, require_space
from worker.outbox.sidecars import sidecar_path, write_sidecar
from worker.printable import display_path
from worker.settings import Settings
from worker.storage.locate import output_path

_REASONS: Final = {
    NameTaken: "another file has it",
    ChecksumMismatch: "the bytes of the derivative are not those on record",
}

_log = structlog.get_logger()


@dataclass(slots=True)
class MissingName:
    """A derivative that lacks its name for one master, or whose name there lacks its sidecar.

    `choices` are the names that it may have but for those that were `refused`, `name` the one that it gets.
    """

    made: NamedDerivative
    source: Path
    choices: list[bytes]
    refused: set[bytes] = field(default_factory=set)
    name: DerivativeName | None = None
    copied: bool = False


@dataclass(slots=True)
class NamingTask:
    """What is to be done for a scan, and what was: still to be recorded.

    `sound` are the names, by their paths, that were read and hold the recorded bytes.
    """

    database: Database
    settings: Settings
    places: ScanPlaces
    wants: list[MissingName] = field(default_factory=list)
    sound: set[bytes] = field(default_factory=set)
    folders: set[Path] = field(default_factory=set)


def find_missing_names(database: Database, settings: Settings, scan_id: int) -> NamingTask | None:
    """Find out which names the derivatives of a scan lack; None if that must wait."""
    with database.read() as s:
        found = scan_places(s, scan_id, INBOX)
    if found is None:
        return None
    look = NamingTask(database, settings, found)
    try:
        for made in found.derivatives:
            _look_at_names(look, made)
    except Transient as passing:
        log_waiting(scan_id, passing)
        return None
    return look


def _look_at_names(look: NamingTask, made: NamedDerivative) -> None:
    scan, lying = look.places, dict(existing_names(look.settings, made))
    source = next(iter(lying.values()), None) or _unrecorded(look, made)
    if source is None:
        _log.warning(
            "a derivative lies under none of its names",
            output=made.names[0].display,
            remedy="restore it from a backup, then run: saek verify --derivatives",
        )
        return
    for master in scan.present:
        own = [name for name in lying if is_wanted(name, [master], scan, made)]
        if not own:
            known = [name.path for name in made.names if is_wanted(name, [master], scan, made)]
            names = derivative_names(master, scan.sha256, made.fingerprint, source.suffix)
            look.wants.append(MissingName(made, source, [*known, *names]))
    for name, path in lying.items():
        if not os.path.lexists(sidecar_path(path)):
            look.wants.append(MissingName(made, source, [name.path]))


def _unrecorded(look: NamingTask, made: NamedDerivative) -> Path | None:
    """Return where a derivative lies that is under none of its names, if a master would have it there.

    As after a backup of the record was put back that is older than the last renaming.
    """
    scan = look.places
    suffix = os.path.splitext(made.names[0].path)[1].decode("ascii", "replace")  # noqa: PTH122  (bytes)
    for master in scan.present:
        for name in derivative_names(master, scan.sha256, made.fingerprint, suffix):
            try:
                place = output_path(look.settings.outbox_path, name)
            except MasterError:
                continue
            if has_bytes(place, made.bytes, made.sha256):
                return place
    return None


def reserve_names(s: Session, looks: Sequence[NamingTask]) -> None:
    """Enter the names that derivatives are about to get: whoever dies before that leaves no stray file."""
    for look in looks:
        for want in look.wants:
            _reserve(s, want, current_time(s))


def _reserve(s: Session, want: MissingName, now: dt.datetime) -> None:
    """Take the first choice that is free on record, or the derivative's own. May be done again."""
    want.name = None
    for path in want.choices:
        owner = name_owner(s, OUTBOX, path)
        if path in want.refused or owner not in {None, want.made.derivative_id}:
            continue
        want.name = DerivativeName(None, OUTBOX, path, display_path(path))
        if owner is None:
            enter_link(s, want.made.derivative_id, want.name, now=now)
        return


def give_names(look: NamingTask) -> bool:
    """Give the names on the disk; False if that must wait."""
    try:
        for want in look.wants:
            while want.name is not None and not _give_name(look, want, want.name):
                pass
            if want.name is None:
                _log.warning("a derivative lacks a name", output=want.made.names[0].display)
        _look_into_copies(look)
    except Transient as passing:
        log_waiting(look.places.scan_id, passing)
        return False
    return True


def _give_name(look: NamingTask, want: MissingName, name: DerivativeName) -> bool:
    """Give a derivative its name and sidecar there; where that cannot be, give the name up for the next."""
    made = want.made
    try:
        place = output_path(look.settings.outbox_path, name.path)
        room = partial(require_space, look.settings)
        want.copied = link_or_copy(want.source, place, size=made.bytes, sha256=made.sha256, room=room)
    except (NameTaken, ChecksumMismatch, MasterError) as error:
        reason = error.reason if isinstance(error, MasterError) else _REASONS[type(error)]
        _log.warning("a name is given up", output=name.display, reason=reason)
        want.refused.update([name.path] if isinstance(error, NameTaken) else want.choices)

        def choose_another(s: Session) -> None:
            abandon_name(s, made, name, reason, now=current_time(s))
            _reserve(s, want, current_time(s))

        look.database.run(choose_another)
        return False
    _give_sidecar(look.database, made, want.source, place)
    look.folders.add(place.parent)
    _log.info("named", output=name.display, copied=want.copied, scan=look.places.scan_id)
    return True


def _give_sidecar(database: Database, made: NamedDerivative, source: Path, place: Path) -> None:
    """Put a sidecar beside a name: the one that lies beside the first, or one that is written anew."""
    old, new = sidecar_path(source), sidecar_path(place)
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


def _look_into_copies(look: NamingTask) -> None:
    """Read the names that are no links of each other, before one is withdrawn for the sake of another."""
    scan, outbox = look.places, look.settings.outbox_path
    for made in scan.derivatives:
        lying = {name.path: path for name, path in existing_names(look.settings, made)}
        if all(is_wanted(name, scan.present, scan, made) for name in made.names if name.path in lying):
            continue
        for want in look.wants:
            if want.made is made and want.name is not None:
                lying[want.name.path] = output_path(outbox, want.name.path)
        links: dict[tuple[int, int], list[bytes]] = {}
        for name, path in lying.items():
            status = path.lstat()
            links.setdefault((status.st_dev, status.st_ino), []).append(name)
        for names in links.values() if len(links) > 1 else ():
            if has_bytes(lying[names[0]], made.bytes, made.sha256):
                look.sound.update(names)


def existing_names(settings: Settings, made: NamedDerivative) -> Iterator[tuple[DerivativeName, Path]]:
    """Yield the names of a derivative under which a file of its size lies, and where that is."""
    for name in made.names:
        try:
            path = output_path(settings.outbox_path, name.path)
        except MasterError as error:
            _log.warning("passed over", output=name.display, code=error.code, reason=error.reason)
            continue
        if name.root == OUTBOX and has_size(path, made.bytes):
            yield name, path


def is_wanted(
    name: DerivativeName, masters: Iterable[bytes], scan: ScanPlaces, made: NamedDerivative
) -> bool:
    """Whether one of these masters would have its derivative under this name."""
    return any(is_derivative_name(name.path, master, scan.sha256, made.fingerprint) for master in masters)


def log_waiting(scan_id: int, passing: Transient) -> None:
    """Log what the names of a scan wait for."""
    _log.warning("waiting", scan=scan_id, code=passing.code, reason=passing.reason, remedy=passing.remedy)
