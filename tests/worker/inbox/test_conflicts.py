import unicodedata

import pytest

from worker.inbox.companions import is_companion_file
from worker.inbox.conflicts import is_conflict_copy
from worker.storage.ignored_names import ignored

KOREAN = "학교 (김의 충돌하는 사본 2024-05-01).tif"


@pytest.mark.parametrize(
    "name",
    [
        b"scan.sync-conflict-20240501-120000-ABCDEF2.tif",
        b"scan.sync-conflict-20240501-120000.tif",
        b"scan (Kim's conflicted copy 2024-05-01).tif",
        b"scan (conflicted copy 2024-05-01 120000).tif",
        b"scan (Case Conflict).tif",
        KOREAN.encode(),
        unicodedata.normalize("NFD", KOREAN).encode(),
        "학교 (김의 충돌된 복사본 2024-05-01).tif".encode(),
        b"scan_conflict-20240501-120000.tif",
        b"scan_DISKSTATION_May-01-120000-2024_Conflict.tif",
        b"scan (SFConflict kim@archive.example 2024-05-01-12-00-00).tif",
        b"scan.Conflict.tif",
        b"scan [conflicted].tif",
    ],
)
def test_a_conflict_copy_is_known_and_still_taken_in(name: bytes) -> None:
    assert is_conflict_copy(name)
    assert not ignored(name)
    assert not is_companion_file(name)


@pytest.mark.parametrize(
    "name",
    [
        b"scan.tif",
        b"conflict.tif",
        b"The Korean conflict 1952.tif",
        b"scan (copy).tif",
        b"scan (1).tif",
        "충돌 사고.tif".encode(),
        b"Conflict of 1952/scan.tif",
    ],
)
def test_a_picture_of_a_conflict_is_no_conflict_copy(name: bytes) -> None:
    assert not is_conflict_copy(name)
