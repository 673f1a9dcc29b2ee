"""Each file that holds a scan has its derivative under its own name, also after interruptions."""

import contextlib
import errno
import hashlib
import os
import random
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from db.audit.due_checks import Due
from db.catalog.files import list_files
from db.catalog.links import scan_places
from db.catalog.names_due import any_names_due
from db.core.engine import Database
from db.core.schema import Derivative, Event, Link, Scan, Sighting
from db.migrations import runner
from db.queue.intake import register
from db.values import NewScan, NewSighting, utcnow
from db.vocabulary import EventType, Finding, Holding
from worker.fixity.checks import Budget, check_files
from worker.fixity.orphans import find_orphans
from worker.fixity.reading import RateLimit
from worker.outbox import links, missing_names, obsolete_names
from worker.outbox import mirror as mirror_module
from worker.outbox.mirror import mirror
from worker.outbox.sidecars import read_sidecar_file, sidecar_path
from worker.parts.wait_reporter import WaitReporter
from worker.settings import Settings, load_settings
from worker.storage.mounts import OUTBOX_MARK

Made = Callable[..., tuple[int, Path]]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def settings(request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a station with either database."""
    if request.param == "postgresql":
        monkeypatch.setenv("SAEK_DATABASE_URL", request.getfixturevalue("new_postgres")())
    monkeypatch.setenv("SAEK_MIN_FREE_BYTES", "0")
    return load_settings()


class Archive:
    """An inbox and an outbox as the record sees them."""

    def __init__(self, database: Database, settings: Settings, made: Made, take_away: Callable[..., int]):
        self.database, self.settings, self.made, self._take_away = database, settings, made, take_away

    def see(self, path: str, content: str) -> None:
        """Have a file seen at a place, with the bytes that `made(content)` was made of."""
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        seen = NewSighting("inbox", path.encode(), path, path.rpartition("/")[0], 10, 1, 1)
        with self.database.begin() as s:
            register(s, seen, NewScan(sha256, 10, "tiff", 64, 64, 1, 8, 1), None)

    def leave(self, *paths: str) -> None:
        with self.database.begin() as s:
            assert self._take_away(s, *(path.encode() for path in paths)) == len(paths)

    def mirror(self) -> int | None:
        return mirror(self.database, self.settings, WaitReporter(self.settings, "mirror"))

    def all_due(self) -> None:
        """Have whoever began a look, and died of it, be over."""
        with self.database.begin() as s:
            s.execute(
                update(Scan).where(Scan.names_due_at.is_not(None)).values(names_due_at=Scan.first_seen_at)
            )

    def settle(self) -> None:
        """Run the mirror until nothing is due; there must be no orphans then."""
        for _ in range(5):
            self.mirror()
        with self.database.read() as s:
            assert not any_names_due(s)
        assert find_orphans(self.database, self.settings.outbox_path).found == []

    @property
    def outbox(self) -> Path:
        return self.settings.outbox_path

    def lying(self) -> set[str]:
        """The derivatives in the outbox, each with a whole sidecar."""
        found = {path for path in self.outbox.rglob("*") if path.is_file() and path.name != OUTBOX_MARK}
        pictures = {path for path in found if path.suffix != ".json"}
        assert found == pictures | {sidecar_path(path) for path in pictures}
        for path in pictures:
            read_sidecar_file(sidecar_path(path))
        return {os.fspath(path.relative_to(self.outbox)) for path in pictures}

    def on_record(self) -> set[str]:
        with self.database.read() as s:
            further = s.scalars(select(Link.display).where(Link.withdrawn_at.is_(None))).all()
            return {*s.scalars(select(Derivative.display)), *further}

    def happened(self, kind: EventType) -> list[str]:
        with self.database.read() as s:
            return [row["name"] for row in s.scalars(select(Event.detail).where(Event.type == kind))]


@pytest.fixture
def archive(database: Database, settings: Settings, made: Made, take_away: Callable[..., int]) -> Archive:
    return Archive(database, settings, made, take_away)


def tail(path: Path) -> str:
    """What a derivative's name has after the master's stem."""
    return path.name.partition(".")[2]


def test_a_duplicate_gets_a_link_of_its_own(archive: Archive) -> None:
    _, first = archive.made("a.tif")
    archive.see("copies/b.jpg", "a.tif")
    archive.settle()
    link = archive.outbox / "copies" / f"b.{tail(first)}"
    assert link.samefile(first)
    assert archive.lying() == archive.on_record() == {first.name, f"copies/b.{tail(first)}"}
    assert archive.happened(EventType.REPLICATION) == [f"copies/b.{tail(first)}"]


def test_a_second_look_changes_nothing(archive: Archive) -> None:
    archive.made("a.tif")
    archive.see("b.tif", "a.tif")
    archive.settle()
    before = archive.lying(), archive.happened(EventType.REPLICATION)
    with archive.database.begin() as s:
        s.query(Scan).update({"names_due_at": Scan.first_seen_at})
    archive.settle()
    assert (archive.lying(), archive.happened(EventType.REPLICATION)) == before


def test_a_duplicate_found_before_the_job_ends_gets_its_name(archive: Archive) -> None:
    archive.see("early/b.tif", "a.tif")
    _, first = archive.made("a.tif")
    archive.settle()
    assert f"early/b.{tail(first)}" in archive.lying()


@pytest.mark.parametrize("order", ["seen first", "left first"])
def test_the_derivatives_of_a_renamed_folder_follow(archive: Archive, order: str) -> None:
    first = [archive.made(f"old/{name}.tif")[1] for name in "ab"]
    for name in "ab":
        if order == "seen first":
            archive.see(f"new/{name}.tif", f"old/{name}.tif")
            archive.settle()
    archive.leave("old/a.tif", "old/b.tif")
    archive.settle()
    if order == "left first":
        assert archive.lying() == {f"old/{path.name}" for path in first}, "the last name is never lost"
        for name in "ab":
            archive.see(f"new/{name}.tif", f"old/{name}.tif")
        archive.settle()
    assert archive.lying() == archive.on_record() == {f"new/{path.name}" for path in first}
    assert not (archive.outbox / "old").exists()
    assert archive.happened(EventType.DELETION) == [f"old/{path.name}" for path in first]


def test_a_folder_that_is_renamed_back_is_followed_again(archive: Archive) -> None:
    _, first = archive.made("old/a.tif")
    for before, after in (("old", "new"), ("new", "old"), ("old", "new")):
        archive.see(f"{after}/a.tif", "old/a.tif")
        archive.leave(f"{before}/a.tif")
        archive.settle()
        assert archive.lying() == archive.on_record() == {f"{after}/{first.name}"}


def test_a_master_that_left_keeps_its_derivative(archive: Archive) -> None:
    _, first = archive.made("a.tif")
    archive.leave("a.tif")
    archive.settle()
    assert archive.lying() == {first.name}


def test_a_link_that_lies_there_already_is_taken(archive: Archive) -> None:
    """As after kill -9 between the link and what is recorded of it, or a restored record."""
    _, first = archive.made("a.tif")
    archive.see("b.tif", "a.tif")
    os.link(first, archive.outbox / f"b.{tail(first)}")
    assert list(find_orphans(archive.database, archive.outbox).found) == []
    archive.settle()
    assert archive.on_record() == {first.name, f"b.{tail(first)}"}


def test_a_name_that_was_removed_but_not_withdrawn_is_withdrawn(archive: Archive) -> None:
    """As after kill -9 between the removal and its record."""
    _, first = archive.made("a.tif")
    archive.see("b.tif", "a.tif")
    archive.settle()
    archive.leave("a.tif")
    for path in (first, sidecar_path(first)):
        path.unlink()
    archive.settle()
    assert archive.lying() == archive.on_record() == {f"b.{tail(first)}"}


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP])
def test_where_there_are_no_hard_links_it_is_copied(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(os, "link", refuse)
    _, first = archive.made("old/a.tif")
    archive.see("new/a.tif", "old/a.tif")
    archive.settle()
    copy = archive.outbox / "new" / first.name
    assert not copy.samefile(first)
    assert copy.read_bytes() == first.read_bytes()
    archive.leave("old/a.tif")
    archive.settle()
    assert archive.lying() == {f"new/{first.name}"}
    with archive.database.read() as s:
        assert s.scalars(select(Link.copied)).all() == [True]


def test_a_copy_waits_for_room(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "_NO_LINKS", links._NO_LINKS | {errno.EEXIST})
    monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.EPERM, "no")))
    archive.made("a.tif")
    archive.see("b.tif", "a.tif")
    crowded = archive.settings.model_copy(update={"min_free_bytes": 2**62})
    mirror(archive.database, crowded, WaitReporter(crowded, "mirror"))
    assert len(archive.lying()) == 1
    with archive.database.begin() as s:
        assert any_names_due(s)
        s.query(Scan).update({"names_due_at": Scan.first_seen_at})
    archive.settle()
    assert len(archive.lying()) == 2


def test_a_file_of_somebody_elses_is_not_touched(archive: Archive) -> None:
    _, first = archive.made("a.tif")
    mine = archive.outbox / f"b.{tail(first)}"
    mine.write_bytes(b"mine")
    archive.see("b.tif", "a.tif")
    for _ in range(3):
        archive.mirror()
    assert mine.read_bytes() == b"mine"
    (whole,) = (path for path in archive.outbox.glob("b.*.tif") if path != mine)
    assert whole.samefile(first)
    assert len(whole.name) > 130


def test_a_copy_that_somebody_changed_is_not_removed(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.EPERM, "no")))
    _, first = archive.made("old/a.tif")
    archive.see("new/a.tif", "old/a.tif")
    archive.settle()
    first.write_bytes(b"x" * first.stat().st_size)
    archive.leave("old/a.tif")
    archive.settle()
    assert first.exists()
    assert (archive.outbox / "new" / first.name).exists()


def test_names_that_a_person_chose_are_left_alone(archive: Archive) -> None:
    """A derivative that was moved by hand gets the name where it is looked for, and keeps the other one."""
    _, first = archive.made("a.tif")
    with archive.database.begin() as s:
        made = s.scalars(select(Derivative)).one()
        made.path, made.display = f"kept/{first.name}".encode(), f"kept/{first.name}"
        made.path_sha256 = hashlib.sha256(made.path).digest()
    (archive.outbox / "kept").mkdir()
    for path in (first, sidecar_path(first)):
        path.rename(archive.outbox / "kept" / path.name)
    archive.see("b.tif", "a.tif")
    archive.settle()
    assert archive.lying() == {first.name, f"kept/{first.name}", f"b.{tail(first)}"}


def test_names_by_the_rule_of_earlier_releases_stay(archive: Archive) -> None:
    _, first = archive.made("a.tif")
    scan, recipe = tail(first).removesuffix(".tif").split("-")
    old = f"a.{scan[:8]}-{recipe}.tif"
    with archive.database.begin() as s:
        made = s.scalars(select(Derivative)).one()
        made.path, made.display = old.encode(), old
        made.path_sha256 = hashlib.sha256(made.path).digest()
    for path in (first, sidecar_path(first)):
        path.rename(archive.outbox / path.name.replace(first.name, old))
    archive.see("b.tif", "a.tif")
    archive.settle()
    assert archive.lying() == {old, f"b.{tail(first)}"}


def test_same_bytes_under_one_stem_share_one_derivative(archive: Archive) -> None:
    _, first = archive.made("a.tif")
    archive.see("a.jpg", "a.tif")
    archive.leave("a.tif")
    archive.settle()
    assert archive.lying() == archive.on_record() == {first.name}


def test_composed_and_decomposed_names_have_one_derivative_each(archive: Archive) -> None:
    composed = "사진/가.tif"
    decomposed = unicodedata.normalize("NFD", composed)
    archive.made(composed)
    archive.see(decomposed, composed)
    archive.settle()
    assert len(archive.lying()) == 2
    archive.leave(composed)
    archive.settle()
    (left,) = archive.lying()
    assert left.startswith(decomposed.removesuffix(".tif"))


def test_one_entry_under_two_spellings_is_not_removed(tmp_path: Path) -> None:
    one, other = tmp_path / "A.tif", tmp_path / "a.tif"
    one.write_bytes(b"x")
    assert links.same_entry(one, other)  # as where case makes no difference: both lead to the one entry
    os.link(one, other)
    assert not links.same_entry(one, other)
    (tmp_path / "b").mkdir()
    assert not links.same_entry(one, tmp_path / "b" / "a.tif")


def test_a_lost_name_is_given_again_from_another(archive: Archive) -> None:
    _, first = archive.made("a.tif")
    archive.see("b.tif", "a.tif")
    archive.settle()
    for path in (first, sidecar_path(first)):
        path.unlink()
    with archive.database.begin() as s:
        s.query(Scan).update({"names_due_at": Scan.first_seen_at})
    archive.settle()
    assert first.exists()
    assert archive.on_record() == archive.lying() == {first.name, f"b.{tail(first)}"}


def test_a_record_older_than_a_renaming_finds_the_derivative(archive: Archive) -> None:
    """As when a backup of the record is put back beside the outbox of today."""
    (archive.outbox / OUTBOX_MARK).touch()
    _, first = archive.made("old/a.tif")
    (archive.outbox / "new").mkdir()
    for path in (first, sidecar_path(first)):
        path.rename(archive.outbox / "new" / path.name)
    first.parent.rmdir()
    archive.see("new/a.tif", "old/a.tif")
    archive.leave("old/a.tif")
    archive.settle()
    assert archive.lying() == archive.on_record() == {f"new/{first.name}"}


def test_a_derivative_that_is_nowhere_stops_nothing(archive: Archive) -> None:
    _, lost = archive.made("lost.tif")
    _, first = archive.made("a.tif")
    for path in (lost, sidecar_path(lost)):
        path.unlink()
    archive.see("copy/lost.tif", "lost.tif")
    archive.see("b.tif", "a.tif")
    archive.settle()
    assert archive.lying() == {first.name, f"b.{tail(first)}"}


@pytest.mark.parametrize("bad", [b"../x.tif", b"/etc/x.tif", b"link/x.tif"])
def test_a_tampered_place_leads_nowhere_outside(archive: Archive, bad: bytes, tmp_path: Path) -> None:
    _, first = archive.made("a.tif")
    (tmp_path / "elsewhere").mkdir()
    (archive.outbox / "link").symlink_to(tmp_path / "elsewhere")
    archive.see("b.tif", "a.tif")
    archive.see("c.tif", "a.tif")
    with archive.database.begin() as s:
        sighting = s.scalars(select(Sighting).where(Sighting.display == "b.tif")).one()
        sighting.path, sighting.path_sha256 = bad, hashlib.sha256(bad).digest()
    for _ in range(3):
        archive.mirror()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not list(tmp_path.glob("x.*"))
    assert not list(archive.settings.home.glob("x.*"))
    assert first.exists()


def test_nothing_is_done_while_the_outbox_is_away(archive: Archive) -> None:
    archive.made("a.tif")
    archive.see("b.tif", "a.tif")
    archive.settle()
    archive.see("c.tif", "a.tif")
    share = archive.outbox.with_name("share")
    archive.outbox.rename(share)
    archive.outbox.mkdir()
    assert archive.mirror() is None
    assert list(archive.outbox.iterdir()) == []
    archive.outbox.rmdir()
    share.rename(archive.outbox)
    archive.settle()
    assert len(archive.lying()) == 3


def test_many_moved_files_are_followed_in_few_looks(archive: Archive) -> None:
    names = [f"{number}.tif" for number in range(55)]
    for name in names:
        archive.made(f"old/{name}")
        archive.see(f"new/{name}", f"old/{name}")
    archive.leave(*(f"old/{name}" for name in names))
    archive.settle()
    assert {Path(path).parent.name for path in archive.lying()} == {"new"}
    assert len(archive.lying()) == 55


def verified(archive: Archive) -> dict[str, Finding]:
    """What a verification finds of the derivatives, by each of their names."""
    found = []
    folders = {"inbox": archive.settings.inbox_path, "outbox": archive.outbox}
    check_files(
        archive.database,
        folders,
        (Holding.DERIVATIVE, Holding.LINK),
        Due(utcnow()),
        pace=RateLimit(None),
        budget=Budget(),
        checked=found.append,
    )
    return {check.file.display: check.finding for check in found}


def test_every_name_is_verified_and_a_missing_one_is_given_again(archive: Archive) -> None:
    _, first = archive.made("a.tif")
    for name in ("b.tif", "copies/c.tif"):
        archive.see(name, "a.tif")
    archive.settle()
    names = {first.name, f"b.{tail(first)}", f"copies/c.{tail(first)}"}
    assert verified(archive) == dict.fromkeys(names, Finding.INTACT)
    lost = archive.outbox / f"b.{tail(first)}"
    lost.unlink()
    assert verified(archive)[lost.name] is Finding.MISSING
    archive.settle()
    assert verified(archive) == dict.fromkeys(names, Finding.INTACT)
    with archive.database.read() as s:
        told = s.scalars(select(Event.detail).where(Event.type == EventType.FIXITY_CHECK)).all()
    assert {detail.get("name") for detail in told} == {None, lost.name, f"copies/c.{tail(first)}"}


def test_a_derivative_that_comes_back_gets_its_other_names(archive: Archive) -> None:
    _, first = archive.made("a.tif")
    away = first.rename(archive.outbox.parent / "away")
    archive.see("b.tif", "a.tif")
    for _ in range(3):
        archive.mirror()
    assert verified(archive) == {first.name: Finding.MISSING}
    archive.mirror()
    away.rename(first)
    assert verified(archive) == {first.name: Finding.INTACT}
    archive.settle()
    assert archive.lying() == {first.name, f"b.{tail(first)}"}


def test_a_root_that_is_not_ours_is_not_read(archive: Archive) -> None:
    _, first = archive.made("a.tif")
    with archive.database.begin() as s:
        s.execute(update(Derivative).values(root="inbox"))
    (archive.settings.inbox_path / first.name).write_bytes(first.read_bytes())
    assert verified(archive) == {first.name: Finding.UNREADABLE}


def test_duplicates_of_earlier_releases_get_names_after_upgrade(archive: Archive) -> None:
    _, first = archive.made("a.tif")
    archive.made("alone.tif")
    archive.see("b.tif", "a.tif")
    archive.database.dispose()
    url = archive.settings.database_address()
    runner.downgrade(url, "0004")
    runner.upgrade(url)
    archive.settle()
    assert f"b.{tail(first)}" in archive.lying()
    assert archive.happened(EventType.REPLICATION) == [f"b.{tail(first)}"]


def test_each_file_is_told_with_the_name_at_its_own_place(archive: Archive) -> None:
    _, first = archive.made("a.tif")
    for name in ("copies/a.tif", "a.b.tif", "copies/a.b.jpg"):
        archive.see(name, "a.tif")
    archive.settle()
    with archive.database.read() as s:
        told = {row.display: row.derivative_display for row in list_files(s)}
    assert told == {
        "a.tif": first.name,
        "copies/a.tif": f"copies/{first.name}",
        "a.b.tif": f"a.b.{tail(first)}",
        "copies/a.b.jpg": f"copies/a.b.{tail(first)}",
    }


def test_a_folder_on_another_file_system_gets_copies(archive: Archive, mount: Callable[..., None]) -> None:
    _, first = archive.made("a.tif")
    (archive.outbox / "share").mkdir()
    mount(archive.outbox / "share")
    archive.see("share/b.tif", "a.tif")
    archive.settle()
    copy = archive.outbox / "share" / f"b.{tail(first)}"
    assert copy.read_bytes() == first.read_bytes()
    assert copy.stat().st_dev != first.stat().st_dev


class Killed(BaseException):
    """Ends a look as kill -9 would: nothing behind it runs."""


@pytest.mark.parametrize("seed", range(5))
def test_the_outbox_is_a_mirror_whatever_happened(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Files come, go and are moved while looks are killed at any step; then it is quiet."""
    dice = random.Random(seed)
    contents = [f"master-{number}.tif" for number in range(4)]
    folders = ["", "one/", "two/", "one/deep/"]
    there: dict[str, str] = {}
    made: dict[str, Path] = {}
    dying = True
    steps = {
        missing_names: ("link_or_copy", "_give_sidecar", "enter_link"),
        mirror_module: ("sync_folders",),
        obsolete_names: ("withdraw_name", "remove_name"),
    }
    for module, step in ((module, step) for module, names in steps.items() for step in names):
        unharmed = getattr(module, step)

        def may_die(*what: Any, real: Callable[..., Any] = unharmed, **options: Any) -> Any:
            if dying and dice.random() < 0.15:
                raise Killed
            done = real(*what, **options)
            if dying and dice.random() < 0.15:
                raise Killed
            return done

        monkeypatch.setattr(module, step, may_die)
    for _ in range(60):
        content = dice.choice(contents)
        match dice.randrange(5):
            case 0 | 1:
                path = f"{dice.choice(folders)}{dice.choice('abc')}.tif"
                archive.see(path, content)
                there[path] = content
            case 2 if content not in made:
                made[content] = archive.made(content)[1]
                there[content] = content
            case 3 if there:
                path = dice.choice(sorted(there))
                archive.leave(path)
                del there[path]
            case _:
                with contextlib.suppress(Killed):
                    archive.mirror()
                archive.all_due()
    dying = False
    archive.settle()
    lying = archive.lying()
    assert lying == archive.on_record()
    for content, first in made.items():
        names = {name for name in lying if name.endswith(tail(first))}
        assert names, "the last name of a derivative is never lost"
        assert {(archive.outbox / name).read_bytes() for name in names} == {content.encode() * 100}
        stems = {path.removesuffix(".tif") for path, held in there.items() if held == content}
        assert not stems or names == {f"{stem}.{tail(first)}" for stem in stems}


def test_a_scan_that_cannot_be_gone_through_holds_up_no_other(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    firsts = {name: archive.made(f"{name}.tif")[1] for name in "abc"}
    for name in firsts:
        archive.see(f"copies/{name}.tif", f"{name}.tif")
    unharmed = missing_names.link_or_copy

    def fail_at_b(source: Path, target: Path, **options: Any) -> bool:
        if target.name == firsts["b"].name:
            raise ValueError(target)
        return unharmed(source, target, **options)

    monkeypatch.setattr(missing_names, "link_or_copy", fail_at_b)
    archive.mirror()
    assert {name for name in firsts if (archive.outbox / "copies" / firsts[name].name).exists()} == {"a", "c"}
    monkeypatch.setattr(missing_names, "link_or_copy", unharmed)
    archive.all_due()
    archive.settle()
    assert len(archive.lying()) == 6


def test_every_version_is_found_at_every_place(archive: Archive) -> None:
    archive.made("a.tif")
    archive.see("b.tif", "a.tif")
    archive.settle()
    with archive.database.read() as s:
        (scan,) = s.scalars(select(Scan.id))
        found = scan_places(s, scan, "inbox")
    assert found is not None
    assert found.present == (b"a.tif", b"b.tif")
    assert [len(made.names) for made in found.derivatives] == [2]
