"""Pictures of a run: splits, and pictures that are left out."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from restoration.training.dataset import chroma_of, listed, load_split
from restoration.training.recipe import DataPlan, TrainingError


def test_a_folder_is_split_by_name_with_sub_folders_as_sets(album: Path) -> None:
    split = load_split(album, DataPlan())

    names = [{picture.name for picture in part} for part in (split.train, split.validation, split.test)]
    assert len(set.union(*names)) == sum(map(len, names)) > 55
    assert len(split.train) > 40
    assert {picture.set for picture in split.train} == {"people", "table"}


def test_a_manifest_names_splits_and_eval_is_halved_by_set(tmp_path: Path) -> None:
    _manifest(
        tmp_path,
        [("train", "people")] * 3
        + [("eval", "street")] * 4
        + [("eval", "people")] * 2
        + [("scans", "fsa")] * 2,
    )

    split = load_split(tmp_path, DataPlan())

    assert [picture.set for picture in split.train] == ["people"] * 3
    assert sorted(picture.set for picture in split.validation) == ["people", "street", "street"]
    assert sorted(picture.set for picture in split.test) == ["people", "street", "street"]
    assert split.licenses == {"people": "CC0"}


def test_pictures_without_a_license_text_are_never_trained_on(tmp_path: Path) -> None:
    _manifest(tmp_path, [("train", "coworking"), ("train", "people"), ("eval", "people")])

    assert [picture.set for picture in load_split(tmp_path, DataPlan()).train] == ["people"]


@pytest.mark.parametrize("tone", [(1.0, 1.0, 1.0), (1.0, 0.93, 0.82)])
def test_gray_and_toned_prints_are_left_out(tmp_path: Path, tone: tuple[float, ...]) -> None:
    _manifest(tmp_path, [("train", "people"), ("train", "people"), ("eval", "people")])
    print_ = np.rint(data.camera()[:128, :128, None] * np.array(tone)).astype(np.uint8)
    Image.fromarray(print_).save(tmp_path / "0.png")

    assert [picture.name for picture in load_split(tmp_path, DataPlan()).train] == ["1.png"]


def test_pictures_are_kept_small(album: Path) -> None:
    split = load_split(album, DataPlan(side=64))

    assert {picture.rgb.shape for picture in split.train} == {(64, 64, 3)}


def test_the_fingerprint_follows_the_pixels(album: Path, tmp_path: Path) -> None:
    rows = [("train", "people")] * 2 + [("eval", "people")]
    _manifest(tmp_path, rows)
    before = load_split(tmp_path, DataPlan()).fingerprint()
    assert load_split(tmp_path, DataPlan()).fingerprint() == before

    Image.fromarray(data.coffee()[:128, :128]).save(tmp_path / "1.png")

    assert load_split(tmp_path, DataPlan()).fingerprint() != before


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="0 pictures to train on") as caught:
        load_split(tmp_path, DataPlan())

    assert caught.value.path == tmp_path


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    _manifest(tmp_path, [("train", "people"), ("eval", "people")])
    (tmp_path / "0.png").write_bytes(b"no picture")

    with pytest.raises(TrainingError, match="cannot be decoded") as caught:
        load_split(tmp_path, DataPlan())

    assert caught.value.path == tmp_path / "0.png"


def test_an_icon_is_named(tmp_path: Path) -> None:
    _manifest(tmp_path, [("train", "people"), ("eval", "people")])
    Image.fromarray(data.astronaut()[:20, :200]).save(tmp_path / "0.png")

    with pytest.raises(TrainingError, match="only 200 x 20 pixels") as caught:
        load_split(tmp_path, DataPlan())

    assert caught.value.path == tmp_path / "0.png"


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    _manifest(tmp_path, [("train", "people"), ("eval", "people")])
    content = (tmp_path / "0.png").read_bytes()
    (tmp_path / "0.png").write_bytes(content[:2000] + bytes(64) + content[2064:])

    with pytest.raises(TrainingError, match="cannot be decoded") as caught:
        load_split(tmp_path, DataPlan())

    assert caught.value.path == tmp_path / "0.png"


def test_chroma_of_gray_is_0_and_pure_colors_reach_the_range() -> None:
    colors = np.array([[(90, 90, 90), (0, 0, 255), (255, 0, 0), (255, 255, 0)]], dtype=np.uint8)

    blue, red = chroma_of(colors)[:, 0]

    assert blue == pytest.approx([0, 0.5, -0.168736, -0.5], abs=1e-5)
    assert red == pytest.approx([0, -0.081312, 0.5, 0.081312], abs=1e-5)


def _manifest(folder: Path, rows: Sequence[tuple[str, str]]) -> None:
    photograph = data.astronaut()
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "split", "set", "licence"))
        for number, (split, name) in enumerate(rows):
            Image.fromarray(photograph[16 * number :][:128, :128]).save(folder / f"{number}.png")
            writer.writerow((f"{number}.png", split, name, "CC0"))


def test_a_manifest_without_a_column_is_told(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path,split\na.png,eval\n")

    with pytest.raises(TrainingError, match="the manifest has no column 'set'"):
        listed(tmp_path)
