import pytest

from worker.inbox.companions import is_companion_file


@pytest.mark.parametrize(
    "name",
    [
        b"scan.xmp",
        b"scan.tif.XMP",
        b"scan.tif.md5",
        b"scan.txt",
        "설명.txt".encode(),
        b"\xbb\xe7.txt",
        b"list\n1.csv",
        b"scan.tif.json",
        b"bag.sha256",
        b"scan.sha256sum",
        b"manifest-md5.txt",
        b"mets.xml",
        b"index.html",
        b"picasa.ini",
        b"catalog.db",
        b"homepage.url",
        b"release.nfo",
        b"letter.doc",
        b"letter.docx",
        b"table.xls",
        b"table.xlsx",
        b"scan.log",
        b"scan.tfw",
        b"scan.nef.pp3",
        b"MD5SUMS",
        b"README",
    ],
)
def test_what_lies_beside_scans_is_known_by_its_name(name: bytes) -> None:
    assert is_companion_file(name)


@pytest.mark.parametrize(
    "name",
    [
        b"scan.tif",
        b"scan.txt.tif",
        b"README.tif",
        b"scan",
        b"txt",
        b".txt.jpg",
        b"scan.pdf",
        b"scans.zip",
        b"film.mp4",
        b"scan.dng",
        b"scan.psd",
        b"scan.unknown",
        b"",
    ],
)
def test_what_may_hold_a_picture_is_no_sidecar(name: bytes) -> None:
    assert not is_companion_file(name)
