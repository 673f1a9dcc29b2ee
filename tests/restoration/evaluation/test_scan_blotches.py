"""Blotches on scans, and scans that are refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from restoration.arrays.luma import luma
from restoration.evaluation.blotch_thresholds import BlotchThresholds
from restoration.evaluation.errors import EvaluationError
from restoration.evaluation.evaluated_models import EvaluatedModel
from restoration.evaluation.options import EvaluationOptions, PictureListener, silent
from restoration.evaluation.scan_blotches import SIDE, measure_scans

SubjectMaker = Callable[..., EvaluatedModel]
EXTREMES = BlotchThresholds(0.3, 0.1)


class Seen(PictureListener):
    """Remembers what it was shown."""

    def __init__(self) -> None:
        self.scans: dict[str, tuple[np.ndarray, dict[str, np.ndarray]]] = {}

    def scan(self, name, gray, made) -> None:
        self.scans[name] = (gray, dict(made))


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A dark and a bright scan, the bright one larger than what is looked at and in a sub-folder."""
    folder = tmp_path / "scans"
    (folder / "box").mkdir(parents=True)
    camera = data.camera()
    Image.fromarray((camera[::4, ::4] // 4).astype(np.uint8)).save(folder / "dark.png")
    Image.fromarray(np.kron(camera, np.ones((2, 2), np.uint8))).save(folder / "box" / "bright.png")
    return folder


def measured(
    folder: Path, *subjects: EvaluatedModel, extremes: BlotchThresholds = EXTREMES, strength: float = 1.0
):
    seen = Seen()
    terms = EvaluationOptions(strength=strength)
    return measure_scans(folder, subjects, terms, extremes, progress=silent, listener=seen), seen


def test_strong_colors_make_blotches_and_modest_ones_none(scans: Path, subject: SubjectMaker) -> None:
    found, _ = measured(scans, subject("bold", -0.5, 0.45), subject("modest", -0.02, 0.02))

    bold, modest = found.models["bold"], found.models["modest"]
    assert bold[0].name == "box/bright.png"
    assert bold[0].blotched
    assert bold[0].blotches > 0.1
    assert not any(one.blotched for one in modest)
    assert [one.blotches for one in modest] == [0, 0]


def test_the_most_blotched_come_first(scans: Path, subject: SubjectMaker) -> None:
    shares = [one.blotches for one in measured(scans, subject("bold", -0.5, 0.45))[0].models["bold"]]

    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[1]


def test_the_chroma_of_film_is_a_second_narrower_bound(scans: Path, subject: SubjectMaker) -> None:
    middle = subject("middle", -0.15, 0.15)

    (first, _) = measured(scans, middle)[0].models["middle"]
    (unknown, _) = measured(scans, middle, extremes=BlotchThresholds(0.3, None))[0].models["middle"]

    assert first.blotches == 0
    assert first.beyond_film is not None
    assert first.beyond_film > 0.05
    assert unknown.beyond_film is None


def test_strength_counts(scans: Path, subject: SubjectMaker) -> None:
    weak, strong = (
        measured(scans, subject(), strength=strength)[0].models["sepia"][0].most for strength in (0.5, 2.0)
    )

    assert strong > 3 * weak


def test_scans_are_shown_with_their_gray_kept(scans: Path, subject: SubjectMaker) -> None:
    gray, made = measured(scans, subject())[1].scans["box/bright.png"]

    assert gray.shape == (SIDE, SIDE)
    assert (luma(made["sepia"]) == gray).all()


def test_color_and_broken_scans_are_refused_with_a_reason(scans: Path, subject: SubjectMaker) -> None:
    Image.fromarray(data.astronaut()).save(scans / "astronaut.png")
    (scans / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")

    found, _ = measured(scans, subject())

    assert set(found.refused) == {"astronaut.png", "broken.jpg"}
    assert "already a color picture" in found.refused["astronaut.png"]
    assert len(found.models["sepia"]) == 2


def test_a_folder_without_scans_is_told(tmp_path: Path, subject: SubjectMaker) -> None:
    with pytest.raises(EvaluationError, match="there are no scans"):
        measured(tmp_path, subject())
