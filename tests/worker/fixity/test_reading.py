import hashlib
import os
import socket
import time

import pytest

from worker.fixity.folders import Folder, FolderAway
from worker.fixity.reading import FileMissing, FileUnreadable, NotRegularFile, RateLimit, hash_file

FAST = RateLimit(None)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root" / "1950").mkdir(parents=True)
    return tmp_path / "root"


def test_a_file_is_read_whole_with_its_size_and_time(root):
    content = os.urandom(3_500_000)
    file = root / "1950" / "한강.tif"
    file.write_bytes(content)
    read = hash_file(root, os.fsencode("1950/한강.tif"), FAST)
    assert read.sha256 == hashlib.sha256(content).hexdigest()
    assert (read.size, read.mtime_ns) == (3_500_000, file.stat().st_mtime_ns)


def test_a_file_of_any_name_is_found(root):
    (root / os.fsdecode(b"\xc7\xd1\xb0\xad.tif")).write_bytes(b"a")
    assert hash_file(root, b"\xc7\xd1\xb0\xad.tif", FAST).size == 1


@pytest.mark.parametrize("path", [b"a.tif", b"1950/a.tif", b"never/a.tif"])
def test_what_is_not_there_is_not_there(root, path):
    with pytest.raises(FileMissing):
        hash_file(root, path, FAST)


def test_a_file_in_the_place_of_a_folder_leaves_nothing_there(root):
    (root / "1951").write_bytes(b"")
    with pytest.raises(FileMissing):
        hash_file(root, b"1951/a.tif", FAST)


def test_no_link_is_followed(root, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "link.tif").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    with pytest.raises(NotRegularFile, match="symbolic link"):
        hash_file(root, b"link.tif", FAST)
    with pytest.raises(FileUnreadable, match="folder on the way"):
        hash_file(root, b"folder/secret", FAST)


@pytest.mark.parametrize(
    "path", [b"../secret", b"1950/../../secret", b"/etc/passwd", b"", b"1950//a.tif", b"."]
)
def test_no_path_on_record_leads_out_of_the_folder(root, tmp_path, path):
    (tmp_path / "secret").write_bytes(b"secret")
    with pytest.raises(FileUnreadable, match="not one that Saek writes"):
        hash_file(root, path, FAST)


def test_what_is_no_regular_file_is_not_waited_for(root):
    os.mkfifo(root / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.fsencode(root / "socket"))
    for name in (b"pipe", b"socket", b"1950"):
        with pytest.raises(NotRegularFile, match=r"pipe|socket|folder"):
            hash_file(root, name, FAST)
    listener.close()


def test_a_file_that_the_kernel_cannot_read_may_be_sound(root):
    with pytest.raises(FileUnreadable, match="cannot be read to its end"):
        hash_file(root.parent.parent / "/proc/self", b"mem", FAST)  # fails with EIO, as a bad disk does


def test_a_file_that_is_written_to_meanwhile_may_be_sound(root):
    file = root / "a.tif"
    file.write_bytes(b"a" * 100)

    class Meanwhile(RateLimit):
        def spend(self, count):
            if file.stat().st_size == count:
                with file.open("ab") as growing:
                    growing.write(b"more")

    with pytest.raises(FileUnreadable, match="written to while"):
        hash_file(root, b"a.tif", Meanwhile(None))


def test_no_more_bytes_pass_in_a_second_than_were_allowed(root):
    (root / "a.tif").write_bytes(bytes(4_000_000))
    pace = RateLimit(10e6)
    began = time.monotonic()
    hash_file(root, b"a.tif", pace)
    took = time.monotonic() - began
    assert 0.3 < took < 3


def test_an_absent_or_empty_folder_is_not_taken_for_lost_files(root):
    with pytest.raises(FolderAway, match="cannot be read"):
        Folder.found(root / "never", may_be_empty=True)
    (root / "1950").rmdir()
    with pytest.raises(FolderAway, match="is it mounted"):
        Folder.found(root, may_be_empty=False)
    Folder.found(root, may_be_empty=True).still_there()


def test_a_folder_that_is_unmounted_during_the_work_is_noticed(root):
    folder = Folder.found(root, may_be_empty=False)
    folder.still_there()
    root.rename(root.with_name("share"))
    root.mkdir()
    (root / "readme").write_bytes(b"the share is mounted here")
    with pytest.raises(FolderAway, match="unmounted"):
        folder.still_there()
