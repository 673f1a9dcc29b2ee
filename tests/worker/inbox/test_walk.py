import os
from pathlib import Path

import pytest

from worker.inbox.walk import WalkSummary, stat_entry, walk


def test_files_are_found_by_bytes_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "scan.tif").write_bytes(b"1")
    (tmp_path / "@eaDir").mkdir()
    (tmp_path / "@eaDir" / "scan.tif").write_bytes(b"1")
    (tmp_path / "elsewhere").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe.tif")
    cp949 = "사진.tif".encode("cp949")
    (tmp_path / os.fsdecode(cp949)).write_bytes(b"12")
    found = {entry.path: entry for entry in walk(os.fsencode(tmp_path))}
    assert set(found) == {b"a/b/scan.tif", b"elsewhere", b"pipe.tif", cp949}
    assert found[cp949].size == 2
    assert [p for p, entry in found.items() if not entry.regular] == sorted(
        [b"elsewhere", b"pipe.tif"], key=list(found).index
    )


def test_a_missing_file_and_a_folder_are_no_entries(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    root = os.fsencode(tmp_path)
    assert stat_entry(root, b"nothing.tif") is None
    assert stat_entry(root, b"folder") is None


def test_companion_files_are_counted_and_conflict_copies_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    conflict = "a/scan.sync-conflict-20240501-120000-ABCDEF2.tif"
    for name in ("a/scan.tif", "a/scan.xmp", "a/scan.tif.md5", "notes.txt", ".hidden.txt", conflict):
        (tmp_path / name).write_bytes(b"1")
    survey = WalkSummary()
    found = {entry.path for entry in walk(os.fsencode(tmp_path), summary=survey)}
    assert found == {b"a/scan.tif", conflict.encode()}
    assert survey.sidecars == 3
    assert survey.conflicts == [conflict.encode()]
    assert not survey.refused


@pytest.mark.parametrize(
    ("path", "hidden"),
    [(b"a", True), (b"a/b.tif", True), (b"a/b/c.tif", True), (b"ab/c.tif", False), (b"b/a/c.tif", False)],
)
def test_what_lies_below_a_refused_folder_is_out_of_sight(path: bytes, hidden: bool) -> None:
    assert WalkSummary(refused={b"a": PermissionError()}).hides(path) is hidden


@pytest.mark.parametrize("year", [1, 1601, 1677, 1970, 2026, 2262, 2300, 9999, 250_000])
def test_a_time_of_any_year_is_one_that_the_record_can_hold(tmp_path: Path, year: int) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"1")
    seconds = int((year - 1970) * 365.2425 * 86400)
    os.utime(path, ns=(seconds * 10**9, seconds * 10**9))
    found = stat_entry(os.fsencode(tmp_path), b"a.tif")
    assert found is not None
    assert -(2**63) <= found.mtime_ns < 2**63
    if 1680 < year < 2260:
        assert found.mtime_ns == path.stat().st_mtime_ns
