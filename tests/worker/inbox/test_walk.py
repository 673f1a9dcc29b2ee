import os
from pathlib import Path

from worker.inbox.walk import look, walk


def test_every_file_is_found_by_its_bytes_and_links_are_not_followed(tmp_path: Path) -> None:
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
    assert look(root, b"nothing.tif") is None
    assert look(root, b"folder") is None
