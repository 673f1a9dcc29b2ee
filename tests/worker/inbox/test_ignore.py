import pytest

from worker.inbox.ignore import ignored


@pytest.mark.parametrize(
    "path",
    [
        b"Thumbs.db",
        b".DS_Store",
        b"a/._scan.tif",
        b"@eaDir/scan.tif",
        b"a/.stfolder/x.tif",
        b"scan.tif.part",
        b"~$list.xls",
        b"#recycle/a.tif",
        b"a/b/.saek-job1-1.tif",
        b"DESKTOP.INI",
        b"scan.tif~",
        b"x.crdownload",
    ],
)
def test_droppings_of_systems_and_unfinished_transfers_are_passed_over(path: bytes) -> None:
    assert ignored(path)


@pytest.mark.parametrize(
    "path", [b"scan.tif", "마을/학교.JPG".encode(), b"part.tif", b"no-suffix", b"a.part.tif", b"\xbb\xe7.tif"]
)
def test_scans_are_not(path: bytes) -> None:
    assert not ignored(path)
