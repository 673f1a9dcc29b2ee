import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image

from restoration import (
    Compute,
    Input,
    LoadedModel,
    Output,
    OutputExists,
    Preset,
    Progress,
    Recipe,
    Stage,
    identify,
    plan,
    restore,
)
from restoration.colorize.inference import colorize
from restoration.colorize.predicted_error import ERROR_PASSES, confidence
from restoration.generators.models import InputSpec
from restoration.masters.metadata.own_derivative import saek_properties

Maker = Callable[..., Path]
Recipes = Callable[..., Recipe]
Gray = NDArray[np.unsignedinteger]


def read(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.asarray(image)


def test_a_confidence_map_changes_no_pixel_of_the_derivative(
    tiff: Maker, gray16: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    master = tiff(gray16)
    plain = restore(Input(master), recipe(), Output(tmp_path / "plain.tif"), Compute(model=loaded))
    made = restore(
        Input(master),
        recipe(),
        Output(tmp_path / "o.tif", confidence=tmp_path / "o.png"),
        Compute(model=loaded),
    )
    assert plain.confidence is None
    assert made.confidence is not None
    assert (made.pixel_sha256, made.recipe_fingerprint) == (plain.pixel_sha256, plain.recipe_fingerprint)
    assert made.windows == plain.windows
    assert sorted(p.name for p in tmp_path.iterdir()) == ["master.tif", "o.png", "o.tif", "plain.tif"]


def test_the_map_is_the_confidence_in_255_steps(
    tiff: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    made = restore(
        Input(tiff(gray8)),
        recipe(),
        Output(tmp_path / "o.tif", confidence=tmp_path / "o.png"),
        Compute(model=loaded),
    )
    luminance = gray8.astype(np.float32) / 255
    field = colorize(luminance, recipe().preset, loaded.spec, loaded.engine)
    expected = confidence(luminance, field.chroma, loaded.spec, loaded.engine)
    told = made.confidence
    assert told is not None
    assert np.abs(read(told.path) / 255 - expected).max() < 0.51 / 255
    assert (told.path, told.width, told.height) == (tmp_path / "o.png", 251, 337)
    assert told.mean == pytest.approx(float(expected.mean()), abs=1e-4)
    assert told.doubtful == pytest.approx(float((expected < 0.5).mean()), abs=1e-4)
    assert 0 < told.doubtful < 1


def test_the_map_of_a_large_picture_has_the_inference_size(
    tiff: Maker, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    ramp = np.linspace(0, 255, 3200).astype(np.uint8) * np.ones((1600, 1), np.uint8)
    made = restore(
        Input(tiff(ramp)),
        recipe(),
        Output(tmp_path / "o.tif", confidence=tmp_path / "o.png"),
        Compute(model=loaded),
    )
    assert read(tmp_path / "o.png").shape == (768, 1536)
    assert (made.width, made.height) == (3200, 1600)


def test_the_map_names_master_model_and_recipe(
    tiff: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    master = tiff(gray8)
    made = restore(
        Input(master),
        recipe(),
        Output(tmp_path / "o.tif", confidence=tmp_path / "o.png", tags={"job": "42"}),
        Compute(model=loaded),
    )
    xmp = bytes(pyvips.Image.new_from_file(str(tmp_path / "o.png")).get("xmp-data"))
    facts = saek_properties(xmp)
    assert facts["masterSha256"] == hashlib.sha256(master.read_bytes()).hexdigest()
    assert facts["recipeFingerprint"] == made.recipe_fingerprint
    assert facts["weightsSha256"] == made.weights
    assert facts["job"] == "42"
    assert made.confidence is not None
    assert float(facts["confidenceMean"]) == made.confidence.mean
    assert "0.05" in facts["confidenceScale"]
    assert b"no photograph" in xmp


def test_strength_and_warmth_do_not_change_the_map(
    tiff: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    maps = []
    for strength, warmth in ((1, 0), (0.3, 0), (1, -1)):
        path = tmp_path / f"{strength}{warmth}.png"
        changed = recipe(strength=strength, warmth=warmth)
        restore(
            Input(tiff(gray8)),
            changed,
            Output(tmp_path / f"{strength}{warmth}.tif", confidence=path),
            Compute(model=loaded),
        )
        maps.append(read(path))
    assert np.array_equal(maps[0], maps[1])
    assert np.array_equal(maps[0], maps[2])


def test_a_map_is_replaced_by_its_like_only(
    tiff: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    master, out, beside = tiff(gray8), tmp_path / "o.tif", tmp_path / "o.png"
    restore(Input(master), recipe(), Output(out, confidence=beside), Compute(model=loaded))
    restore(Input(master), recipe(), Output(out, confidence=beside), Compute(model=loaded))
    Image.new("L", (4, 4)).save(beside)
    mine = beside.read_bytes()
    with pytest.raises(OutputExists, match=r"o\.png"):
        restore(Input(master), recipe(), Output(out, confidence=beside), Compute(model=loaded))
    assert beside.read_bytes() == mine
    with pytest.raises(ValueError, match="a file of its own"):
        restore(
            Input(master),
            recipe("png"),
            Output(tmp_path / "x.png", confidence=tmp_path / "x.png"),
            Compute(model=loaded),
        )


def test_work_that_is_stopped_leaves_neither_file(
    tiff: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    def stop(progress: Progress) -> None:
        if progress.stage is Stage.VERIFY:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(
            Input(tiff(gray8)),
            recipe(),
            Output(tmp_path / "o.tif", confidence=tmp_path / "o.png"),
            Compute(model=loaded),
            progress=stop,
        )
    assert [p.name for p in tmp_path.iterdir()] == ["master.tif"]


def test_progress_counts_the_looks_with_the_windows(
    tiff: Maker, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    grain = np.random.default_rng(2).integers(0, 128, (500, 700), dtype=np.uint8)
    gray = grain + np.linspace(0, 127, 700).astype(np.uint8)
    heard: list[Progress] = []
    master, balanced = tiff(gray), recipe(preset=Preset.BALANCED)
    restore(
        Input(master),
        balanced,
        Output(tmp_path / "o.tif", confidence=tmp_path / "o.png"),
        Compute(model=loaded),
        progress=heard.append,
    )
    colored = [(step.done, step.total) for step in heard if step.stage is Stage.COLOR]
    windows = colorize(gray / np.float32(255), Preset.BALANCED, InputSpec(256, 32), loaded.engine).windows
    assert colored[-1] == (windows + ERROR_PASSES, windows + ERROR_PASSES)
    assert colored == sorted(set(colored))
    assert [done for done, _ in colored[-ERROR_PASSES:]] == list(
        range(windows + 1, windows + ERROR_PASSES + 1)
    )
    shipped = recipe(preset=Preset.BALANCED, model="archive-1")
    facts = identify(master)
    assert plan(facts, shipped, with_confidence=True).windows == plan(facts, shipped).windows + ERROR_PASSES
