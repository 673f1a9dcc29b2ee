"""Mounted file systems."""

from pathlib import Path

import pytest

from db.filesystems import network_file_system

MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/archive rw,relatime shared:5 - nfs4 server:/archive rw
31 22 0:41 / /mnt/archive/local rw - xfs /dev/sdb1 rw
32 22 0:42 / /mnt/two\\040words rw - cifs //server/share rw
33 22 0:43 / /mnt/cloud rw - fuse.rclone remote: rw
34 22 0:44 / /mnt/stick rw - fuseblk /dev/sdc1 rw
35 22 0:45 / /mnt/covered rw - nfs server:/x rw
36 35 8:3 / /mnt/covered rw - ext4 /dev/sdd1 rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/saek/saek.sqlite3", None),
        ("/mnt/archive/saek.sqlite3", "nfs4"),
        ("/mnt/archive-of-old/saek.sqlite3", None),
        ("/mnt/archive/local/saek.sqlite3", None),
        ("/mnt/two words/saek.sqlite3", "cifs"),
        ("/mnt/cloud/saek.sqlite3", "fuse.rclone"),
        ("/mnt/stick/saek.sqlite3", None),
        ("/mnt/covered/saek.sqlite3", None),
    ],
)
def test_the_mount_that_holds_the_path_decides(path, kind):
    assert network_file_system(Path(path), MOUNTS) == kind


def test_a_symbolic_link_is_resolved(tmp_path):
    (tmp_path / "link").symlink_to("/mnt/archive")
    assert network_file_system(tmp_path / "link" / "saek.sqlite3", MOUNTS) == "nfs4"


def test_this_machine_keeps_its_temporary_files_on_a_local_disk(tmp_path):
    assert network_file_system(tmp_path) is None
