import errno
import os
from pathlib import Path

import pytest
import typer

from worker.cli.output_plan import (
    PlannedOutput,
    names_one_file,
    output_path,
    plan_outputs,
    refuse_overwriting,
)
from worker.cli.scans import find_scans


def laid_out(
    masters: list[Path], output: Path, suffix: str, *, with_confidence: bool = False
) -> list[PlannedOutput]:
    single = names_one_file(masters, output)
    found = find_scans(masters, output)
    return plan_outputs(found, output, suffix, single=single, with_confidence=with_confidence)


def _touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _too_deep(folder: Path) -> None:
    """Make folders below it that lie deeper than a path may be long."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("x" * 250, dir_fd=here)
        inner = os.open("x" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


def test_one_scan_gets_the_name_that_was_asked_for(tmp_path):
    scan = tmp_path / "a.jpg"
    assert laid_out([scan], tmp_path / "b.tiff", ".tif") == [PlannedOutput(scan, tmp_path / "b.tiff")]


def test_a_scan_and_a_folder_give_the_name_of_the_scan(tmp_path):
    scan = tmp_path / "a.jpg"
    assert laid_out([scan], tmp_path / "out", ".png") == [PlannedOutput(scan, tmp_path / "out" / "a.png")]


def test_a_folder_keeps_its_subfolders_and_skips_ignored_files(tmp_path):
    _touch(
        tmp_path / "in/서울/a.tif", tmp_path / "in/b.png", tmp_path / "in/.hidden.tif", tmp_path / "in/c.part"
    )
    made = laid_out([tmp_path / "in"], tmp_path / "out", ".tif")
    assert [piece.output.relative_to(tmp_path / "out") for piece in made] == [
        Path("b.tif"),
        Path("서울/a.tif"),
    ]


def test_what_was_made_before_is_not_a_master(tmp_path):
    _touch(tmp_path / "in/a.png", tmp_path / "in/out/a.tif")
    assert [piece.master for piece in laid_out([tmp_path / "in"], tmp_path / "in/out", ".tif")] == [
        tmp_path / "in/a.png"
    ]


def test_two_masters_of_one_stem_both_keep_their_ending(tmp_path):
    made = laid_out([tmp_path / "a.jpg", tmp_path / "A.png", tmp_path / "b.png"], tmp_path / "out", ".tif")
    assert [piece.output.name for piece in made] == ["a.jpg.tif", "A.png.tif", "b.tif"]


def test_two_masters_of_one_name_are_refused(tmp_path):
    with pytest.raises(typer.BadParameter, match="separate folders"):
        laid_out([tmp_path / "x/a.tif", tmp_path / "y/a.tif"], tmp_path / "out", ".tif")


def test_several_scans_need_a_folder(tmp_path):
    _touch(tmp_path / "out.tif")
    with pytest.raises(typer.BadParameter, match="need a folder"):
        laid_out([tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "out.tif", ".tif")


def test_a_name_that_contradicts_the_format_is_refused(tmp_path):
    with pytest.raises(typer.BadParameter, match="--format"):
        laid_out([tmp_path / "a.png"], tmp_path / "out.jpg", ".tif")


def test_a_master_is_never_overwritten_even_by_force_or_link(tmp_path):
    _touch(tmp_path / "a.tif")
    (tmp_path / "symbolic.tif").symlink_to(tmp_path / "a.tif")
    (tmp_path / "hard.tif").hardlink_to(tmp_path / "a.tif")
    for name in ("a.tif", "symbolic.tif", "hard.tif"):
        with pytest.raises(typer.BadParameter, match="masters are never written to"):
            refuse_overwriting([PlannedOutput(tmp_path / "a.tif", tmp_path / name)], force=True)


def test_another_pieces_master_is_safe_too(tmp_path):
    _touch(tmp_path / "a.tif", tmp_path / "b.tif")
    pieces = [
        PlannedOutput(tmp_path / "a.tif", tmp_path / "b.tif"),
        PlannedOutput(tmp_path / "b.tif", tmp_path / "c.tif"),
    ]
    with pytest.raises(typer.BadParameter, match="masters are never written to"):
        refuse_overwriting(pieces, force=True)


def test_a_derivative_is_replaced_by_force_only(tmp_path):
    _touch(tmp_path / "a.tif", tmp_path / "out.tif")
    pieces = [PlannedOutput(tmp_path / "a.tif", tmp_path / "out.tif")]
    with pytest.raises(typer.BadParameter, match="--force"):
        refuse_overwriting(pieces, force=False)
    refuse_overwriting(pieces, force=True)


def test_the_confidence_of_each_picture_lies_beside_it(tmp_path):
    scans = [tmp_path / "a.v2.jpg", tmp_path / "b.png", tmp_path / "b.tif"]
    made = laid_out(scans, tmp_path / "out", ".tif", with_confidence=True)
    names = ["a.v2.confidence.png", "b.png.confidence.png", "b.tif.confidence.png"]
    assert [piece.confidence for piece in made] == [tmp_path / "out" / name for name in names]


def test_a_confidence_map_with_the_name_of_a_picture_is_refused(tmp_path):
    scans = [tmp_path / "a.tif", tmp_path / "a.confidence.tif"]
    assert len(laid_out(scans, tmp_path / "out", ".png")) == 2
    with pytest.raises(typer.BadParameter, match="separate folders"):
        laid_out(scans, tmp_path / "out", ".png", with_confidence=True)


def test_a_confidence_is_written_over_nothing(tmp_path):
    _touch(tmp_path / "a.tif", tmp_path / "b.confidence.png")
    pieces = laid_out([tmp_path / "a.tif"], tmp_path / "b.tif", ".tif", with_confidence=True)
    with pytest.raises(typer.BadParameter, match="exists"):
        refuse_overwriting(pieces, force=False)
    refuse_overwriting(pieces, force=True)
    own = laid_out([tmp_path / "b.confidence.png"], tmp_path / "b.tif", ".tif", with_confidence=True)
    with pytest.raises(typer.BadParameter, match="is a master"):
        refuse_overwriting(own, force=True)


@pytest.mark.parametrize("name", ["x.gif", "x.webp", "x.jp2", "x.PDF", "scans.txt"])
def test_a_name_of_another_format_is_refused(tmp_path, name):
    with pytest.raises(typer.BadParameter, match=r"Saek writes \.tif"):
        output_path([tmp_path / "a.png"], str(tmp_path / name))
    (tmp_path / name).mkdir()
    assert output_path([tmp_path / "a.png"], str(tmp_path / name)) == tmp_path / name


@pytest.mark.parametrize("name", ["out", "out/", "x.gif/", "1963.01", ".", "-", "roll.12"])
def test_folder_names_have_no_extension_or_end_with_a_slash(name):
    assert output_path([Path("a.png")], name) == Path(name)


def test_a_files_name_is_refused_for_several_scans(tmp_path):
    for masters in ([tmp_path / "a.png", tmp_path / "b.png"], [tmp_path]):
        with pytest.raises(typer.BadParameter, match="need a folder"):
            output_path(masters, str(tmp_path / "out.tif"))


def test_sidecars_in_a_folder_are_passed_over_and_counted(tmp_path):
    names = ("a.tif", "a.xmp", "a.tif.md5", "notes.txt", "a.json", "b/Thumbs.db", "b/c.png", "b/c.XMP")
    _touch(*(tmp_path / "in" / name for name in names))
    found = find_scans([tmp_path / "in"], tmp_path / "out")
    assert [str(relative) for _, relative in found.masters] == ["a.tif", "b/c.png"]
    assert found.sidecars == 5


def test_sidecars_of_earlier_outputs_are_not_counted(tmp_path):
    _touch(*(tmp_path / "in" / name for name in ("a.tif", "a.xmp", "out/a.tif", "out/a.xmp", "outer/b.xmp")))
    found = find_scans([tmp_path / "in"], tmp_path / "in/out")
    assert [relative for _, relative in found.masters] == [Path("a.tif")]
    assert found.sidecars == 2


def test_a_sidecar_that_is_named_itself_is_a_master(tmp_path):
    _touch(tmp_path / "a.xmp")
    assert find_scans([tmp_path / "a.xmp"], tmp_path / "out").masters == (
        (tmp_path / "a.xmp", Path("a.xmp")),
    )


def test_a_folder_without_scans_is_refused(tmp_path):
    _touch(tmp_path / "in/a.xmp")
    with pytest.raises(typer.BadParameter, match="holds no scans"):
        find_scans([tmp_path / "in"], tmp_path / "out")


def test_a_folder_that_cannot_be_read_keeps_no_other_from_it(tmp_path):
    _touch(tmp_path / "a.tif")
    deep = tmp_path / "in"
    deep.mkdir()
    _too_deep(deep)
    found = find_scans([deep, tmp_path / "a.tif"], tmp_path / "out")
    assert [relative for _, relative in found.masters] == [Path("a.tif")]
    assert [folder for folder, _ in found.unread] == [deep]


def test_the_readable_part_of_a_folder_is_found(tmp_path):
    _touch(tmp_path / "in/a.tif", tmp_path / "in/a.xmp")
    _too_deep(tmp_path / "in")
    found = find_scans([tmp_path / "in"], tmp_path / "out")
    assert found.masters == ((tmp_path / "in/a.tif", Path("a.tif")),)
    assert (found.sidecars, found.unread) == (1, ((tmp_path / "in", os.strerror(errno.ENAMETOOLONG)),))


def test_a_folder_that_gives_nobody_a_look_is_told(tmp_path, monkeypatch):
    _touch(tmp_path / "in/a.tif")

    def scandir(path: bytes) -> None:  # root may read all folders
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = find_scans([tmp_path / "in"], tmp_path / "out")
    assert (found.masters, found.unread) == ((), ((tmp_path / "in", os.strerror(errno.EACCES)),))


def test_a_folder_within_the_output_is_refused(tmp_path, monkeypatch):
    _touch(tmp_path / "in/a.tif")
    monkeypatch.chdir(tmp_path)
    for named, output in (("in", "in"), ("in", "."), (".", ".")):
        with pytest.raises(typer.BadParameter, match="is in the output"):
            find_scans([Path(named)], Path(output))
