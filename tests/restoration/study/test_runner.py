"""The whole study on eight pictures with tiny networks."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restoration.study.candidate_metrics import as_facts, from_facts
from restoration.study.colorizer import luminance_kept
from restoration.study.dataset import load_dataset
from restoration.study.findings import Findings
from restoration.study.matrix import RunSelection
from restoration.study.preprocessing import Preprocessing, gray_of
from restoration.study.runner import run_study
from restoration.training import TrainingError, shipped_recipe

RECIPES = shipped_recipe("seed/pix2pix").parent
NAMES = sorted(path.stem for path in RECIPES.glob("*.toml"))
TINY = RunSelection(epochs=1, base=2)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Study:
    findings: Findings
    out: Path
    page: Path

    @property
    def text(self) -> str:
        return self.page.read_text("utf-8")


@pytest.fixture(scope="module")
def study(eight: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("study")
    page = folder / "docs" / "research" / "seed-study.md"
    (folder / "out").mkdir()
    (folder / "out" / "notes.md").write_text("## Seen\n\nAll of it is brown.\n")
    return Study(run_study(RECIPES, eight, folder / "out", page, TINY), folder / "out", page)


def test_every_recipe_is_run_and_every_kept_generator_is_judged(study: Study) -> None:
    judged = [one.candidate.name for one in study.findings.candidates]

    assert sorted(path.name for path in (study.out / "runs").iterdir()) == [f"{name}-base2" for name in NAMES]
    assert judged[:3] == ["gray", "truth", "perfect generator"]
    assert judged[3].startswith("shipped ")
    assert sorted(judged[4:]) == [f"{name}-base2, epoch 1" for name in NAMES]


def test_the_page_says_what_was_really_run(study: Study) -> None:
    rows = re.findall(r"^\| ([\w-]+) \| [^|]+ \| 2 \| float32 \| 1 \| ", study.text, re.MULTILINE)

    assert sorted(rows) == NAMES
    assert "saek study seed --base 2 --epochs 1 --data DIR --out OUT --report FILE" in study.text
    assert "not done: pix2pix (0 of 100 epochs), l1 (0 of 100 epochs)" in study.text
    assert "trains on 6 pictures and evaluates on 2 others" in study.text
    assert "All of it is brown." in study.text
    assert str(study.out) not in study.text


def test_every_figure_of_the_page_is_there(study: Study) -> None:
    files = re.findall(r"\]\((seed-study/[^)]+)\)", study.text)

    assert {name for name in files if name.endswith(".jpg")} == {
        f"seed-study/figure-{figure}-base2.jpg" for figure in "abcd"
    }
    assert len([name for name in files if name.endswith(".svg")]) == 8
    assert all((study.page.parent / name).is_file() for name in files)
    with Image.open(study.page.parent / "seed-study" / "figure-d-base2.jpg") as sheet:
        # Gray, truth, the baseline, two batch sizes and two kernels.
        assert sheet.height == 7 * (144 + 3)


def test_the_document_holds_the_numbers_of_the_page(study: Study) -> None:
    document = json.loads((study.page.parent / "seed-study" / "study.json").read_text())

    assert document["pictures"] == {"train": 6, "test": 2}
    assert set(document["runs"]) == {f"{name}-base2" for name in NAMES}
    for one in document["verdicts"]:
        assert f"| {one['painted']['rendering']['figures']['psnr']:.2f} |" in study.text
    perfect = next(one for one in document["verdicts"] if one["name"] == "perfect generator")
    assert perfect["psnr_gain"] > 0
    assert document["preprocessing"]["reach"][0] == pytest.approx([0.324465, 0.837349])


def test_the_page_names_the_statistics_nearest_to_the_recipe(study: Study) -> None:
    found = re.search(r"The figures of (.+) are nearest, at most ([0-9.]+) away; those of", study.text)

    assert found is not None
    nearest = study.findings.statistics[found[1]]
    given = Preprocessing()
    means = (*given.color_mean, given.gray_mean)
    most = max(abs(one.mean - mean) for one, mean in zip(nearest.channels, means, strict=True))
    assert float(found[2]) >= round(most, 5)


def test_gray_truth_and_the_ceiling_are_what_they_must_be(study: Study, eight: Path) -> None:
    gray, truth, perfect = (study.findings.candidates[place].generated.rendering for place in range(3))
    pictures = load_dataset(eight).test.rgb
    best = Preprocessing().best_reachable(pictures)
    errors = ((best / 255.0 - pictures / 255.0) ** 2).mean(axis=(1, 2, 3))

    assert gray.chroma_ratio == 1.0
    assert gray.figures.colorfulness == 0.0
    assert (truth.figures.psnr, truth.figures.ciede2000) == (60.0, 0.0)
    assert perfect.figures.psnr == pytest.approx(float((-10 * np.log10(errors)).mean()), abs=1e-3)


def test_with_the_luminance_kept_no_gray_is_lost(study: Study, eight: Path) -> None:
    rgb = load_dataset(eight).test.rgb[0]
    painted = Preprocessing().best_reachable(rgb[None])[0]

    assert np.array_equal(gray_of(luminance_kept(painted, gray_of(rgb))), gray_of(rgb))
    assert not np.array_equal(gray_of(painted), gray_of(rgb))
    assert all(one.gain > 0 for one in study.findings.candidates if not one.candidate.keeps_luminance)


def test_figures_are_kept_as_they_were_taken(study: Study) -> None:
    for one in study.findings.candidates:
        assert from_facts(json.loads(json.dumps(as_facts(one.generated)))) == one.generated


def test_a_second_run_repeats_nothing_and_continues(study: Study, eight: Path) -> None:
    states = {path: path.stat().st_mtime_ns for path in study.out.glob("runs/*/state.pt")}
    judged = {path: path.stat().st_mtime_ns for path in study.out.glob("judged/*.json")}
    before = study.text
    other = study.page.with_name("longer.md")

    findings = run_study(RECIPES, eight, study.out, other, RunSelection(("l1",), epochs=2, base=2))

    changed = [path for path, when in states.items() if path.stat().st_mtime_ns != when]
    assert [path.parent.name for path in changed] == ["l1-base2"]
    assert all(path.stat().st_mtime_ns == when for path, when in judged.items())
    assert "l1-base2, epoch 2" in [one.candidate.name for one in findings.candidates]
    assert "--only l1 --base 2 --epochs 2" in other.read_text("utf-8")
    assert study.text == before


def test_runs_on_other_pictures_are_not_judged_beside_these(
    study: Study, eight: Path, tmp_path: Path
) -> None:
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        for path in (eight / part).iterdir():
            Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / part / path.name)

    with pytest.raises(TrainingError, match="other pictures"):
        run_study(
            RECIPES, tmp_path, study.out, study.page.with_name("other.md"), RunSelection(("l1",), base=2)
        )
