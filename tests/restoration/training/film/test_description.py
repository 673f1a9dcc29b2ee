"""Tables and pages describe the film simulation as it is."""

from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from restoration.training import model_page
from restoration.training.film import EMULSIONS, STAGES, film_tables, sheet
from restoration.training.film.sheet import EXAMPLES

ROOT = Path(__file__).resolve().parents[4]


def test_tables_have_share_and_ranges_of_every_stage() -> None:
    text = film_tables()

    for emulsion in EMULSIONS:
        assert f"| {emulsion.name} | " in text
        assert f" | {emulsion.share:.0%} |" in text
    for stage in STAGES.values():
        line = next(line for line in text.splitlines() if f" | {stage.name} | " in line)
        assert stage.effect in line
        assert stage.source in line
        assert ("always" if stage.share == 1 else f"{stage.share:.0%}") in line
        for name, span in stage.ranges.items():
            assert f"{name} {span.low:g} to {span.high:g}" in line


def test_the_page_of_the_docs_says_what_the_code_does() -> None:
    page = (ROOT / "docs/research/film.md").read_text("utf-8")

    assert film_tables() in page, (
        "docs/research/film.md: replace its two tables by what restoration.training.film.film_tables() gives"
    )


def test_the_page_of_a_model_says_what_the_code_does() -> None:
    assert film_tables() in model_page._film()


def test_the_picture_of_the_docs_is_what_the_code_draws() -> None:
    path = ROOT / "docs/images/film.jpg"
    small = Image.fromarray(data.astronaut()).resize((192, 192), Image.Resampling.LANCZOS)
    drawn = Image.fromarray(sheet(np.asarray(small)))

    with Image.open(path, formats=("JPEG",)) as shown:
        assert shown.size == drawn.size
        difference = np.abs(np.asarray(shown, float) - np.asarray(drawn, float)).mean(axis=2)

    assert path.stat().st_size < 200_000
    assert difference.mean() < 5, f"{path}: draw it again with restoration.training.film.sheet"


def test_the_sheet_shows_every_emulsion_and_stage() -> None:
    captions = [caption for caption, _ in EXAMPLES]

    for emulsion in EMULSIONS:
        assert emulsion.name in captions
    for name in STAGES:
        assert name == "response" or any(caption.startswith(name) for caption in captions)


def test_a_sheet_has_the_picture_and_every_example() -> None:
    rgb = np.zeros((40, 30, 3), np.uint8)
    rgb[...] = (200, 30, 30)

    page = sheet(rgb)

    assert page.dtype == np.uint8
    assert page.shape[2] == 3
    assert (page[8:48, 8:38] == rgb).all()
    cells = len(EXAMPLES) + 2
    assert page.shape[0] == 8 + -(-cells // 5) * (40 + 18 + 8)
    colored = (np.ptp(page.astype(int), axis=2) > 20).sum()
    assert colored > 40 * 30


def test_the_same_seed_draws_the_same_sheet() -> None:
    rgb = np.asarray(data.astronaut()[::8, ::8])

    assert np.array_equal(sheet(rgb, seed=1), sheet(rgb, seed=1))
    assert not np.array_equal(sheet(rgb, seed=1), sheet(rgb, seed=2))
