import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restoration import NoSpace, OutputUnavailable, publish
from worker.outbox.paths import derivative_names, is_derivative_name, require_space, work_draft
from worker.settings import Settings

SHA, PRINT = "ab" * 32, "cd" * 32


def test_a_derivative_name_has_folder_stem_scan_and_recipe() -> None:
    path, whole = derivative_names("마을/학교.jpg".encode(), SHA, PRINT, ".tif")
    assert path.decode() == "마을/학교.abababababab-cdcdcdcd.tif"
    assert whole.decode() == f"마을/학교.{SHA}-{PRINT}.tif"


def test_other_contents_and_other_recipes_lie_side_by_side() -> None:
    paths = {
        name
        for s in ("ab", "cd")
        for r in ("12", "34")
        for name in derivative_names(b"a.tif", s * 32, r * 32, ".tif")
    }
    assert len(paths) == 8


def test_digests_that_begin_alike_still_have_two_names() -> None:
    first = derivative_names(b"a.tif", "ab" * 31 + "01", PRINT, ".tif")
    second = derivative_names(b"a.tif", "ab" * 31 + "02", PRINT, ".tif")
    assert first[0] == second[0]
    assert first[1] != second[1]


def test_a_name_of_any_release_is_found_at_its_masters_place() -> None:
    short, whole = derivative_names(b"1950/a.jpg", SHA, PRINT, ".tif")
    for name in (short, whole, b"1950/a.abababab-cdcdcdcd.tif"):
        assert is_derivative_name(name, b"1950/a.jpg", SHA, PRINT)
        assert not is_derivative_name(name, b"1951/a.jpg", SHA, PRINT)
        assert not is_derivative_name(name, b"1950/a.jpg", "0" * 64, PRINT)
        assert not is_derivative_name(b"kept/" + name, b"1950/a.jpg", SHA, PRINT)


@given(st.text(min_size=1, max_size=255).filter(lambda name: "/" not in name and "\0" not in name))
def test_every_name_gives_a_name_that_a_file_system_takes(name: str) -> None:
    raw = name.encode("utf-8", "ignore")[:255] or b"x"
    short, whole = derivative_names(raw, SHA, PRINT, ".tif")
    assert max(len(short), len(whole)) <= 220
    assert short.endswith(b".abababababab-cdcdcdcd.tif")
    assert whole.endswith(f".{SHA}-{PRINT}.tif".encode())


def test_a_failed_draft_leaves_nothing(tmp_path: Path) -> None:
    final = tmp_path / "new" / "a.tif"

    def fail_half_way() -> None:
        with work_draft(final, "job7", 1) as path:
            path.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert list(final.parent.iterdir()) == []


def test_a_published_draft_has_its_name_and_only_that(tmp_path: Path) -> None:
    final = tmp_path / "a.tif"
    with work_draft(final, "job7", 1) as path:
        path.write_bytes(b"whole")
        publish(path, final)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_drafts_of_killed_holders_of_the_same_job_are_cleared(tmp_path: Path) -> None:
    final = tmp_path / "a.tif"
    (tmp_path / ".saek-job7-1.tif").write_bytes(b"left behind")
    (tmp_path / ".saek-job70-1.tif").write_bytes(b"of another job")
    with work_draft(final, "job7", 2):
        pass
    assert [p.name for p in tmp_path.iterdir()] == [".saek-job70-1.tif"]


def test_work_waits_while_the_disk_is_almost_full(settings: Settings) -> None:
    require_space(settings.model_copy(update={"min_free_bytes": 1}))
    with pytest.raises(NoSpace, match="SAEK_MIN_FREE_BYTES"):
        require_space(settings.model_copy(update={"min_free_bytes": 2**62}))


def test_work_waits_while_the_outbox_is_away(settings: Settings) -> None:
    settings.outbox_path.rmdir()
    with pytest.raises(OutputUnavailable, match="outbox"):
        require_space(settings)


def test_a_folder_that_cannot_be_made_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "village").write_bytes(b"a file where the collection's folder should be")

    def enter() -> None:
        with work_draft(tmp_path / "village" / "a.tif", "job7", 1):
            pass

    with pytest.raises(OutputUnavailable, match="village"):
        enter()


def test_a_draft_that_cannot_be_removed_is_transient(
    tmp_path: Path,
) -> None:
    """As where the outbox became read-only in the midst of the work."""

    def write() -> None:
        with work_draft(tmp_path / "a.tif", "job7", 1) as unfinished:
            unfinished.mkdir()  # no unlink removes that
            raise OSError(errno.EROFS, "Read-only file system")

    with pytest.raises(OutputUnavailable):
        write()
