import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from restoration import OutputUnavailable
from worker.storage.recorded_paths import PathEscapes, derivative_path, master_path

_PARTS = st.sampled_from(
    [b"..", b".", b"", b"a", b"link", b"real", b"up", b"a.tif", b"\xff\xfe", b"~", b"etc", b"\0", b"%2e%2e"]
)
_PATHS = st.lists(_PARTS, max_size=6).map(b"/".join) | st.binary(max_size=40)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder in it, and links to places outside."""
    outside = tmp_path_factory.mktemp("outside")
    root = tmp_path_factory.mktemp("root")
    (root / "real" / "deep").mkdir(parents=True)
    (root / "link").symlink_to(outside)
    (root / "real" / "up").symlink_to("../..")
    (root / "real" / "deep" / "etc").symlink_to("/etc")
    return root


@given(_PATHS)
@example(b"../../etc/passwd")
@example(b"/etc/passwd")
@example(b"real/../../x")
@example(b"link/a.tif")
@example(b"real/up/a.tif")
@example(b"real/deep/etc/passwd")
@example(b"a\0.tif")
def test_any_recorded_path_stays_below_its_folder_or_is_refused(root: Path, path: bytes) -> None:
    try:
        placed = master_path(root, path)
    except PathEscapes:
        return
    assert placed.parent.resolve().is_relative_to(root)
    assert os.fsencode(placed) == os.fsencode(root) + b"/" + path


@pytest.mark.parametrize(
    "path", ["a.tif", "real/a.tif", "real/deep/a.tif", "new/folder/a.tif", "마을/학교.tif"]
)
def test_what_lies_below_is_found(root: Path, path: str) -> None:
    assert master_path(root, path.encode()) == root / path
    assert derivative_path(root, path.encode()) == root / path


@pytest.mark.parametrize(
    "path", [b"../a.tif", b"/etc/passwd", b"a/../../b", b"a\0b", b"", b"a//b", b"./a", b"a/"]
)
def test_what_leads_out_by_its_words_is_refused_with_the_way_out(root: Path, path: bytes) -> None:
    with pytest.raises(PathEscapes, match="backup"):
        derivative_path(root, path)


def test_a_linked_folder_is_refused_with_the_way_out(root: Path) -> None:
    with pytest.raises(PathEscapes, match="mount"):
        master_path(root, b"link/a.tif")
    with pytest.raises(OutputUnavailable, match="mount"):
        derivative_path(root, b"real/deep/etc/a.tif")


def test_the_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "inbox").symlink_to(root)
    assert master_path(tmp_path / "inbox", b"real/a.tif") == tmp_path / "inbox" / "real" / "a.tif"


def test_a_root_that_is_away_is_for_the_reader_to_tell(tmp_path: Path) -> None:
    assert master_path(tmp_path / "away", b"a/b.tif") == tmp_path / "away" / "a" / "b.tif"


def test_looking_leaves_no_descriptor_open(root: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        master_path(root, b"real/deep/a.tif")
        master_path(root, b"none/at/all.tif")
        with pytest.raises(PathEscapes):
            master_path(root, b"link/a.tif")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
