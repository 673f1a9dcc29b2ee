"""Created, moved, rewritten and deleted files are recorded once, as they are now."""

import hashlib
import io
import os
import shutil
import time
import unicodedata
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import tifffile
from sqlalchemy import func, select

from db.catalog.files import list_files
from db.core.engine import Database
from db.core.schema import Job, Scan, Sighting
from db.vocabulary import FileState
from worker.settings import Settings, Watch

Ingesting = Callable[..., AbstractContextManager[None]]
Eventually = Callable[..., None]

pytestmark = pytest.mark.parametrize(
    ("settings", "watched"),
    [
        ("sqlite", Watch.INOTIFY),
        ("sqlite", Watch.POLLING),
        pytest.param("postgresql", Watch.INOTIFY, marks=pytest.mark.postgres),
    ],
    indirect=True,
)

QUEUED, GONE, QUARANTINED = FileState.QUEUED, FileState.GONE, FileState.QUARANTINED
SETTLE = 0.4


@pytest.fixture
def watched(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Settings by which the kernel tells of files, or by which it does not and the inbox is looked at."""
    seconds = {"rescan_seconds": 1.0, "poll_seconds": 0.3, "settle_seconds": SETTLE}
    return settings.model_copy(update={"watch": request.param} | seconds)


@pytest.fixture
def inbox(watched: Settings) -> Path:
    return watched.inbox_path


@pytest.fixture
def told(database: Database) -> Callable[[], dict[str, FileState]]:
    def told() -> dict[str, FileState]:
        with database.read() as s:
            return {row.path.decode("utf-8", "surrogateescape"): row.state for row in list_files(s)}

    return told


@pytest.fixture
def at_work(ingesting: Ingesting, watched: Settings, database: Database) -> AbstractContextManager[None]:
    return ingesting(watched, settle_seconds=SETTLE)


Told = Callable[[], dict[str, FileState]]
AtWork = AbstractContextManager[None]


def scan(seed: int) -> bytes:
    held = io.BytesIO()
    tifffile.imwrite(held, np.random.default_rng(seed).integers(0, 256, (40, 60), np.uint8))
    return held.getvalue()


def digests(database: Database) -> list[str]:
    with database.read() as s:
        return list(s.scalars(select(Scan.sha256).order_by(Scan.id)))


def counts(database: Database) -> tuple[int, int, int]:
    """How many scans, sightings and jobs there are."""
    with database.read() as s:
        scans, sightings, jobs = (
            s.scalars(select(func.count()).select_from(table)).one() for table in (Scan, Sighting, Job)
        )
    return scans, sightings, jobs


def test_a_slow_copy_is_taken_in_once_and_whole(
    at_work: AtWork, inbox: Path, database: Database, told: Told, eventually: Eventually
) -> None:
    content = scan(1)
    with at_work, (inbox / "slow.tif").open("wb", buffering=0) as copy:
        for at in range(0, len(content), 200):
            copy.write(content[at : at + 200])
            time.sleep(SETTLE / 3)
        copy.close()
        eventually(lambda: told() == {"slow.tif": QUEUED}, "the whole file")
    assert digests(database) == [hashlib.sha256(content).hexdigest()]
    assert counts(database) == (1, 1, 1)


def test_a_file_rewritten_before_it_settles_is_recorded_once(
    at_work: AtWork, inbox: Path, database: Database, told: Told, eventually: Eventually
) -> None:
    with at_work:
        for seed in range(1, 8):
            (inbox / "a.tif").write_bytes(scan(seed))
            time.sleep(SETTLE / 3)
        eventually(lambda: told() == {"a.tif": QUEUED}, "the file")
    assert digests(database) == [hashlib.sha256(scan(7)).hexdigest()]


def test_a_file_rewritten_in_place_later_is_another_scan(
    at_work: AtWork, inbox: Path, database: Database, told: Told, eventually: Eventually
) -> None:
    with at_work:
        (inbox / "a.tif").write_bytes(scan(1))
        eventually(lambda: told() == {"a.tif": QUEUED}, "the first content")
        with (inbox / "a.tif").open("r+b") as same_inode_and_size:
            same_inode_and_size.write(scan(2))
        eventually(lambda: len(digests(database)) == 2, "the second content")
        eventually(lambda: told() == {"a.tif": QUEUED}, "its job")
    assert digests(database) == [hashlib.sha256(scan(seed)).hexdigest() for seed in (1, 2)]
    with database.read() as s:
        assert list(s.scalars(select(Job.failure_code).order_by(Job.id))) == ["master-changed", None]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a.tif", "1950/b.tif"),
        ("Scan.TIF", "scan.tif"),
        (unicodedata.normalize("NFD", "학교.tif"), unicodedata.normalize("NFC", "학교.tif")),
        ("a.tif.part", "a.tif"),
    ],
    ids=["moved", "case only", "normal form only", "from a draft"],
)
def test_a_file_that_is_renamed_is_the_same_scan_elsewhere(
    at_work: AtWork,
    inbox: Path,
    database: Database,
    told: Told,
    eventually: Eventually,
    before: str,
    after: str,
) -> None:
    draft = before.endswith(".part")
    (inbox / "1950").mkdir()
    with at_work:
        (inbox / before).write_bytes(scan(1))
        if draft:
            time.sleep(2 * SETTLE)
        eventually(lambda: told() == ({} if draft else {before: QUEUED}), "the first name")
        (inbox / before).rename(inbox / after)
        names = {after: QUEUED} if draft else {before: QUEUED, after: QUEUED}
        eventually(lambda: told() == names and gone(database) == set(names) - {after}, "the second name")
    assert counts(database) == (1, len(names), 1)


def gone(database: Database) -> set[str]:
    with database.read() as s:
        return {os.fsdecode(row.path) for row in list_files(s) if row.gone}


def test_folders_are_moved_in_and_out_and_in_again(
    at_work: AtWork, inbox: Path, database: Database, told: Told, eventually: Eventually, tmp_path: Path
) -> None:
    folder = tmp_path / "batch"
    (folder / "deep" / "deeper").mkdir(parents=True)
    names = {"batch/1.tif", "batch/deep/2.tif", "batch/deep/deeper/3.tif"}
    for number, name in enumerate(sorted(names)):
        (tmp_path / name).write_bytes(scan(number))
    with at_work:
        shutil.move(folder, inbox)
        eventually(lambda: told() == dict.fromkeys(names, QUEUED), "all, moved in")
        shutil.move(inbox / "batch", tmp_path)
        (inbox / "last.tif").write_bytes(scan(9))  # an inbox that is bare all at once is not believed
        eventually(lambda: gone(database) == names, "all, moved out")
        shutil.move(folder, inbox)
        eventually(lambda: not gone(database), "all, moved in again")
    assert counts(database) == (4, 4, 4)


def test_lookalike_names_and_longest_names_are_separate_files(
    at_work: AtWork, inbox: Path, database: Database, told: Told, eventually: Eventually
) -> None:
    twins = [unicodedata.normalize(form, "마을/학교.tif") for form in ("NFC", "NFD")]
    longest = "사" * 83 + "xx.tif"
    names = [*twins, "a.tif", "A.tif", longest, f"{'진' * 85}/{longest}", "y" * 251 + ".tif"]
    assert len(longest.encode()) == 255
    with at_work:
        for number, name in enumerate(names):
            (inbox / name).parent.mkdir(exist_ok=True)
            (inbox / name).write_bytes(scan(number))
        eventually(lambda: told() == dict.fromkeys(names, QUEUED), "all of them")
    assert counts(database) == (len(names),) * 3
    with database.read() as s:
        shown = [row.display for row in list_files(s)]
    assert shown.count(twins[0]) == 2


def test_a_name_in_cp949_is_quarantined_until_it_is_renamed(
    at_work: AtWork, inbox: Path, database: Database, told: Told, eventually: Eventually
) -> None:
    bad = os.fsdecode("사진.tif".encode("cp949"))
    with at_work:
        (inbox / bad).write_bytes(scan(1))
        (inbox / "b.tif").write_bytes(scan(2))
        eventually(lambda: told() == {bad: QUARANTINED, "b.tif": QUEUED}, "both names")
        (inbox / bad).rename(inbox / "사진.tif")
        whole = {bad: GONE, "b.tif": QUEUED, "사진.tif": QUEUED}
        eventually(lambda: told() == whole, "the new name")
