import pytest

from worker.storage.ignored_names import ignored


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
def test_system_files_and_unfinished_transfers_are_ignored(path: bytes) -> None:
    assert ignored(path)


@pytest.mark.parametrize(
    "folder",
    [
        b"#recycle",  # Synology
        b"#snapshot",
        b"@tmp",
        b"@eaDir",
        b"@sharesnap",
        b"@Recycle",  # QNAP
        b"@Recently-Snapshot",
        b".@__thumb",
        b"@__thumb",
        b"~snapshot",  # NetApp
        b"~snapsht",
        b".snapshot",
        b".zfs",  # TrueNAS
        b"_NAS_Recycle_RAID",  # Thecus
        b"trashbox",  # Buffalo
        b"Network Recycle Bin",  # Asustor
        b".recycle",  # Samba
        b"@GMT-2024.05.01-12.00.00",
        b"RECYCLER",  # Windows
        b"RECYCLED",
        b"$RECYCLE.BIN",
        b"System Volume Information",
        b"FOUND.000",
        b".Trashes",  # macOS
        b".TemporaryItems",
        b"Temporary Items",
        b"Network Trash Folder",
        b".Spotlight-V100",
        b".fseventsd",
        b"__MACOSX",
        b"lost+found",
        b"scan.tif.download",  # Safari
        b"scan.tif.sb-1a2b3c4d-XyZ123",
    ],
)
def test_recycle_bins_and_snapshots_are_passed_over(folder: bytes) -> None:
    assert ignored(folder + b"/1952/scan.tif")
    assert ignored(b"1952/" + folder.upper() + b"/scan.tif")


@pytest.mark.parametrize(
    "name",
    [
        b"scan.tif.!sync",
        b"scan.tif.!ut",
        b"scan.tif.!qB",
        b"scan.tif.bc!",
        b"scan.tif.aria2",
        b"scan.tif.sb-1a2b3c4d-XyZ123",
        b"scan.tif.bts",
        b"scan.tif.rsls",
        b"scan.tif.opdownload",
        b"scan.tif.crdownload",
        b"scan.tif.upload",
        b"scan.tif.bak",
        b"scan.tif.filepart",
        b"scan.tif.1a2b3c4d.partial",
        b"scan.tif.ocTransferId123.part",
        b"scan.tif.lftp-pget-status",
        b"scan.tif_.gstmp",
        b"scan.tif.6Eb3aF21",
        b".scan.tif.Xk3b9Q",
        b".syncthing.scan.tif.tmp",
        b"~syncthing~scan.tif.tmp",
        b".in.scan.tif.",
        b".ftpquota",
        b".pureftpd-upload.5f3a.15.1a2b",
        b"scan.tif.lock",
        b"#scan.tif#",
        b"Icon\r",
    ],
)
def test_transfers_under_way_are_passed_over(name: bytes) -> None:
    assert ignored(b"1952/" + name)


@pytest.mark.parametrize(
    "path",
    [
        b"scan.tif",
        "마을/학교.JPG".encode(),
        b"part.tif",
        b"no-suffix",
        b"a.part.tif",
        b"\xbb\xe7.tif",
        b"snapshot/scan.tif",
        b"Recycling plant 1952/scan.tif",
        b"tmp/scan.tif",
        b"@home/scan.tif",
        b"#1/scan.tif",
        b"~/scan.tif",
        b"found/scan.tif",
        b"upload/scan.tif",
        b"scan.tif.20240101",
        b"scan.tif.1",
        b"backup.tif",
        b"scan (1).tif",
    ],
)
def test_scans_are_not(path: bytes) -> None:
    assert not ignored(path)
