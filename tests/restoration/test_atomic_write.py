import errno
import os
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
