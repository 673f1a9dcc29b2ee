"""What a restoration refuses, and that a refusal leaves nothing behind."""

import hashlib
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyvips
from skimage import data

from restoration import (
    AlreadyColor,
    AlreadyRestored,
    Compute,
    ImageTooLarge,
    Input,
    Limits,
    LoadedModel,
    LumaMismatch,
    MasterChanged,
    NoSpace,
    Output,
    OutputExists,
    OutputUnavailable,
    Preset,
    Progress,
    Recipe,
    RecipeOutdated,
    Stage,
    TruncatedImage,
    WeightsMismatch,
    atomic_write,
    restore,
)
from restoration.colorize.guided_filter import Upsampler
from restoration.colorize.plan import count_windows
from restoration.derivatives import compose, writer
from restoration.derivatives.compose import Composition, ImageSpec
from restoration.derivatives.file_metadata import FileMetadata, srgb_profile
from restoration.masters import strips
from restoration.masters.metadata.embedded import MasterMetadata

Gray = np.ndarray
Maker = Callable[..., Path]
Recipes = Callable[..., Recipe]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_color_photograph_is_never_repainted(
    picture: Maker, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    master = picture(data.astronaut(), "a.jpg")
    with pytest.raises(AlreadyColor):
        restore(Input(master), recipe(), Output(tmp_path / "out.tif"), Compute(model=loaded))
    assert names(tmp_path) == {"a.jpg"}


@pytest.mark.parametrize("fmt", ["tiff", "png", "jpeg"])
def test_what_was_made_here_is_no_master_however_pale(
    picture: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path, fmt: str
) -> None:
    pale = recipe(fmt, strength=0.0)
    trust = tmp_path / "trust.png"
    made = restore(
        Input(picture(gray8, "a.png")),
        pale,
        Output(tmp_path / f"o.{fmt}", confidence=trust),
        Compute(model=loaded),
    )
    for path in (made.path, trust):
        with pytest.raises(AlreadyRestored, match=sha256(tmp_path / "a.png")[:12]):
            restore(Input(path), recipe(), Output(tmp_path / "again.tif"), Compute(model=loaded))
    assert names(tmp_path) == {"a.png", made.path.name, trust.name}


def test_a_truncated_master_leaves_nothing(
    picture: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    master = picture(gray8, "a.png")
    os.truncate(master, master.stat().st_size // 2)
    with pytest.raises(TruncatedImage, match=r"a\.png"):
        restore(Input(master), recipe(), Output(tmp_path / "out.tif"), Compute(model=loaded))
    assert names(tmp_path) == {"a.png"}


def test_other_bytes_than_registered_are_refused_before_the_work(
    picture: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    master = picture(gray8, "a.png")
    with pytest.raises(MasterChanged, match="was registered"):
        restore(Input(master, sha256="0" * 64), recipe(), Output(tmp_path / "o.tif"), Compute(model=loaded))
    made = restore(
        Input(master, sha256=sha256(master)), recipe(), Output(tmp_path / "o.tif"), Compute(model=loaded)
    )
    assert made.path.exists()


@pytest.mark.parametrize("stage", [Stage.READ, Stage.COLOR, Stage.WRITE, Stage.VERIFY])
def test_a_master_changed_during_the_work_gives_no_derivative(
    picture: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path, stage: Stage
) -> None:
    master = picture(gray8, "a.png")
    other = picture(255 - gray8, "b.png")

    def exchange(progress: Progress) -> None:
        if progress.stage is stage and other.exists():
            other.replace(master)

    with pytest.raises((MasterChanged, LumaMismatch)):
        restore(
            Input(master), recipe(), Output(tmp_path / "out.tif"), Compute(model=loaded), progress=exchange
        )
    assert names(tmp_path) == {"a.png"}


@pytest.mark.parametrize("fmt", ["tiff", "png", "jpeg"])
@pytest.mark.parametrize("stage", Stage)
def test_an_error_of_the_progress_listener_leaves_nothing_behind(
    picture: Maker,
    gray8: Gray,
    recipe: Recipes,
    loaded: LoadedModel,
    tmp_path: Path,
    stage: Stage,
    fmt: str,
) -> None:
    class CancelledError(Exception):
        pass

    def cancel(progress: Progress) -> None:
        if progress.stage is stage:
            raise CancelledError

    master = picture(gray8, "a.png")
    before = threading.active_count()
    with pytest.raises(CancelledError):
        restore(
            Input(master),
            recipe(fmt, preset="balanced"),
            Output(tmp_path / "o"),
            Compute(model=loaded),
            progress=cancel,
        )
    assert names(tmp_path) == {"a.png"}
    assert threading.active_count() == before


def test_progress_runs_through_the_stages_to_their_ends(
    picture: Maker,
    gray8: Gray,
    recipe: Recipes,
    loaded: LoadedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(strips, "STRIP_PIXELS", 251 * 50)
    heard: list[Progress] = []
    restore(
        Input(picture(gray8, "a.png")),
        recipe(preset=Preset.BALANCED),
        Output(tmp_path / "o.tif"),
        Compute(model=loaded),
        progress=heard.append,
    )
    assert list(dict.fromkeys(p.stage for p in heard)) == list(Stage)
    for stage in Stage:
        steps = [p for p in heard if p.stage is stage]
        assert [p.done for p in steps] == sorted({p.done for p in steps})
        total = count_windows(337, 251, Preset.BALANCED, loaded.spec) if stage is Stage.COLOR else 337
        assert steps[-1].done == steps[-1].total == total


def test_the_work_of_a_killed_process_is_replaced(
    picture: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    for fmt in ("tiff", "png", "jpeg"):
        first, second = (
            restore(
                Input(picture(gray8, "a.png")),
                recipe(fmt),
                Output(tmp_path / f"o.{fmt}"),
                Compute(model=loaded),
            )
            for _ in "ab"
        )
        assert first.pixel_sha256 == second.pixel_sha256
        assert second.sha256 == sha256(second.path)


def test_a_file_of_somebody_else_is_not_replaced(
    picture: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    master = picture(gray8, "a.png")
    (tmp_path / "letter.tif").write_bytes(b"a letter")
    (tmp_path / "link.tif").symlink_to(master)
    other = restore(
        Input(master), recipe(strength=0.5), Output(tmp_path / "other.tif"), Compute(model=loaded)
    )
    for out in (master, tmp_path / "letter.tif", tmp_path / "link.tif", other.path):
        content = out.read_bytes()
        with pytest.raises(OutputExists):
            restore(Input(master), recipe(), Output(out), Compute(model=loaded))
        assert out.read_bytes() == content


def test_weights_that_the_recipe_does_not_name_are_not_used(
    picture: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    with pytest.raises(WeightsMismatch):
        restore(
            Input(picture(gray8, "a.png")),
            recipe(weights="6" * 64),
            Output(tmp_path / "o.tif"),
            Compute(model=loaded),
        )


def test_a_recipe_of_other_pixel_code_is_not_followed(
    picture: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    with pytest.raises(RecipeOutdated, match="version 1 of the pixel code"):
        restore(
            Input(picture(gray8, "a.png")),
            recipe(algorithm=1),
            Output(tmp_path / "o.tif"),
            Compute(model=loaded),
        )
    assert not (tmp_path / "o.tif").exists()


def test_limits_hold_for_restoring_too(
    picture: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    with pytest.raises(ImageTooLarge):
        restore(
            Input(picture(gray8, "a.png"), limits=Limits(1000, 1000)),
            recipe(),
            Output(tmp_path / "o.tif"),
            Compute(model=loaded),
        )


def test_a_picture_too_wide_for_jpeg_says_so_before_the_work(
    tiff: Maker, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    with pytest.raises(ImageTooLarge, match="choose TIFF or PNG"):
        restore(
            Input(tiff(np.zeros((1, 70_000), np.uint8))),
            recipe("jpeg"),
            Output(tmp_path / "o.jpg"),
            Compute(model=loaded),
        )


@pytest.mark.parametrize("fmt", ["tiff", "png", "jpeg"])
def test_a_disk_that_fills_up_is_worth_another_try(recipe: Recipes, tmp_path: Path, fmt: str) -> None:
    metadata = FileMetadata(b"<x/>", None, "Saek", MasterMetadata(), srgb_profile())
    gray = np.random.default_rng(0).integers(0, 256, (2000, 1000), dtype=np.uint8)
    rows = strips.strip_rows(1000, 2000)
    pieces = (strips.Strip(top, gray[top : top + rows], None) for top in range(0, 2000, rows))
    flat = Upsampler.solve(np.zeros((2, 2, 1), np.float32), np.zeros((20, 10), np.float32), 2000, 1000)
    composition = Composition(ImageSpec(1000, 2000, 3, 8), flat, pieces, 2)
    with pytest.raises(NoSpace), atomic_write.writing_to(tmp_path):
        writer.write(Path("/dev/full"), composition, recipe(fmt), metadata)


@pytest.mark.parametrize("fmt", ["tiff", "png"])
def test_a_derivative_that_lost_a_single_step_is_not_kept(
    picture: Maker,
    gray8: Gray,
    recipe: Recipes,
    loaded: LoadedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fmt: str,
) -> None:
    write = writer.write

    def spoil(path: Path, *rest: object) -> object:
        expected = write(path, *rest)
        image = pyvips.Image.new_from_file(str(path)).copy_memory()
        rgb = image.numpy()
        rgb[300, 100] = rgb[300, 100] // 2 + 1
        spoiled = pyvips.Image.new_from_array(rgb, interpretation="srgb")
        if fmt == "png":
            spoiled.pngsave(str(path))
        else:
            spoiled.tiffsave(str(path), compression="deflate", predictor="horizontal")
        return expected

    monkeypatch.setattr(writer, "write", spoil)
    with pytest.raises(LumaMismatch, match="samples differ"):
        restore(Input(picture(gray8, "a.png")), recipe(fmt), Output(tmp_path / "o"), Compute(model=loaded))
    assert names(tmp_path) == {"a.png"}


@pytest.mark.parametrize("fmt", ["tiff", "png"])
@pytest.mark.parametrize("depth", [8, 16])
def test_a_step_of_luma_that_the_coloring_lost_is_found(
    tiff: Maker,
    gray8: Gray,
    gray16: Gray,
    recipe: Recipes,
    loaded: LoadedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fmt: str,
    depth: int,
) -> None:
    rgb_with_luma = compose.rgb_with_luma

    def faulty(gray: Gray, *rest: object) -> Gray:
        rgb = rgb_with_luma(gray, *rest)
        rgb[-1, 100] += 1
        return rgb

    monkeypatch.setattr(compose, "rgb_with_luma", faulty)
    with pytest.raises(LumaMismatch, match=r"luminance differs|how its weights are rounded"):
        restore(
            Input(tiff(gray8 if depth == 8 else gray16)),
            recipe(fmt),
            Output(tmp_path / "o"),
            Compute(model=loaded),
        )
    assert names(tmp_path) == {"master.tif"}


def test_a_master_that_reads_differently_again_is_refused(
    tiff: Maker, gray16: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    master = tiff(gray16)

    def rewrite(progress: Progress) -> None:
        if progress.stage is Stage.COLOR:
            before = master.stat()
            with master.open("r+b") as file:
                file.seek(-1000, os.SEEK_END)
                file.write(b"\0\0")
            os.utime(master, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(LumaMismatch, match="read again"):
        restore(Input(master), recipe(), Output(tmp_path / "o.tif"), Compute(model=loaded), progress=rewrite)
    assert names(tmp_path) == {"master.tif"}


def test_a_folder_that_vanished_is_an_error_not_a_silence(
    picture: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(OutputUnavailable, match="No such file"):
        restore(
            Input(picture(gray8, "a.png")),
            recipe(),
            Output(tmp_path / "out" / "o.tif"),
            Compute(model=loaded),
        )
