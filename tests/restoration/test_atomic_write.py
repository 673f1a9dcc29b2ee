import errno
import os
import stat
from pathlib import Path

import pytest

from restoration import NoSpace, atomic_write


def test_a_draft_disappears_with_whatever_leaves_the_body(tmp_path: Path) -> None:
    def interrupted() -> None:
        with atomic_write.draft(tmp_path / "a.tif") as path:
            path.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_published_draft_is_the_file_and_nothing_else_stays(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"older")
    with atomic_write.draft(tmp_path / "a.tif") as path:
        assert path.parent == tmp_path
        assert path.name.startswith(".")
        path.write_bytes(b"whole")
        atomic_write.publish(path, tmp_path / "a.tif")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]
    assert (tmp_path / "a.tif").read_bytes() == b"whole"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_worth_another_try(tmp_path: Path, code: int) -> None:
    with pytest.raises(NoSpace, match="is full"), atomic_write.replacing(tmp_path / "a.tif"):
        raise OSError(code, os.strerror(code))


def test_a_digest_counts_every_byte(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    size, digest = atomic_write.digest(tmp_path / "a")
    assert (size, digest[:8]) == (3, "ba7816bf")


def test_a_draft_never_follows_a_link_that_lies_there(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"kept")
    (tmp_path / ".a.draft").symlink_to(precious)
    atomic_write.write_file(tmp_path / "a", b"new", atomic_write.draft_name(tmp_path / "a"))
    assert precious.read_bytes() == b"kept"
    assert (tmp_path / "a").read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "precious"]


def test_an_error_while_replacing_keeps_the_older_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"older")

    def fail_half_way() -> None:
        with atomic_write.replacing(tmp_path / "a") as path:
            path.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert (tmp_path / "a").read_bytes() == b"older"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_is_on_the_disk_before_its_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        steps.append("fsync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "fsync file")
        fsync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    atomic_write.write_file(tmp_path / "a", b"content")
    assert steps == ["fsync file", "rename", "fsync folder"]
