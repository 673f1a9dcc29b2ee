"""The report: complete, self-contained, with escaped names."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lxml.html
import numpy as np
import pytest
from PIL import Image
from skimage import data

from restoration.evaluation.errors import EvaluationError
from restoration.evaluation.evaluated_models import EvaluatedModel
from restoration.evaluation.measuring import evaluate_models
from restoration.evaluation.options import EvaluationOptions
from restoration.evaluation.report import page as page_module
from restoration.evaluation.report import report_folder, write_report

EVIL = '<script>alert("x")<∕script>&.png'
SubjectMaker = Callable[..., EvaluatedModel]


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory, subject: SubjectMaker) -> Callable[[Path], None]:
    """Measure two models on three pictures, one with a name like markup, and a scan; write the report."""
    gallery, scans = tmp_path_factory.mktemp("pictures"), tmp_path_factory.mktemp("scans")
    Image.fromarray(data.coffee()[:128, :128]).save(gallery / "0.png")
    Image.fromarray(data.coffee()[:128, 200:328]).save(gallery / "1.png")
    Image.fromarray(data.astronaut()[:96, :96]).save(gallery / EVIL)
    Image.fromarray(data.camera()[::2, ::2]).save(scans / "camera.png")
    models = [subject(), subject("<i>&bold", -0.3, 0.3)]

    def write(out: Path) -> None:
        with report_folder(out) as pictures:
            assert pictures is not None
            terms = EvaluationOptions(side=64, blotch_threshold=0.2, tiling=True)
            found = evaluate_models(models, gallery, terms, scans=scans, listener=pictures)
            write_report(found, pictures)

    return write


@pytest.fixture(scope="module")
def report(write: Callable[[Path], None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("desk") / "report"
    write(out)
    return out


@pytest.fixture
def page(report: Path) -> Any:
    return lxml.html.parse(str(report / "index.html"))


def files(report: Path) -> set[str]:
    return {path.relative_to(report).as_posix() for path in report.glob("pictures/*")}


def test_every_picture_of_the_page_is_there(report: Path, page: Any) -> None:
    assert set(page.xpath("//img/@src")) == files(report)
    for image in page.xpath("//img"):
        with Image.open(report / image.get("src")) as opened:
            assert opened.size == (int(image.get("width")), int(image.get("height")))
        assert image.get("alt")


def test_what_the_page_does_not_show_is_not_kept(
    write: Callable[[Path], None], tmp_path: Path, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MAX_OF_SET", "MAX_ERROR_MAPS"):
        monkeypatch.setattr(page_module, name, 1)
    write(tmp_path / "report")

    page = lxml.html.parse(str(tmp_path / "report" / "index.html"))
    assert set(page.xpath("//img/@src")) == files(tmp_path / "report") < files(report)


def test_the_page_needs_nothing_from_elsewhere(report: Path, page: Any) -> None:
    text = (report / "index.html").read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert not re.findall(r"https?:|//[a-z]", text)
    assert not page.xpath("//script | //link | //iframe")
    assert len(page.xpath("//svg//polyline")) >= 5
    assert {section.get("id") for section in page.xpath("//section")} >= {
        link.removeprefix("#") for link in page.xpath("//nav/a/@href")
    }


def test_names_are_text_and_never_markup(page: Any) -> None:
    assert not page.xpath("//i")
    assert "<i>&bold" in page.xpath("string(//h1)")
    assert any("<script>" in caption for caption in page.xpath("//figcaption/text()"))


def test_the_table_has_gray_every_model_and_the_truth(report: Path, page: Any) -> None:
    rows = page.xpath("//section[@id='figures']//tbody[1]/tr/td[3]/text()")
    assert rows == ["gray", "sepia", "<i>&bold", "truth"]
    told = json.loads((report / "evaluation.json").read_text("utf-8"))
    assert [group["set"] for group in told["groups"]] == ["all", "pictures"]
    assert told["scans"]["models"]["sepia"][0]["name"] == "camera.png"


def test_a_strip_shows_gray_models_and_truth_in_order(report: Path, page: Any) -> None:
    (source,) = set(page.xpath("//img[starts-with(@alt, '0.png: gray')]/@src"))
    strip = np.asarray(Image.open(report / source)).astype(int)
    panes = [strip[:, left : left + 128] for left in range(0, 4 * 132, 132)]
    spread = [float((pane.max(axis=2) - pane.min(axis=2)).mean()) for pane in panes]
    assert spread[0] < 3 < spread[1] < spread[2]
    assert (
        np.abs(panes[3] - np.asarray(Image.fromarray(data.coffee()[:128, :128]).resize((128, 128)))).mean()
        < 6
    )


def test_an_earlier_report_is_replaced(tmp_path: Path) -> None:
    out = a_report(tmp_path)

    with report_folder(out) as pictures:
        assert pictures is not None
        (pictures.folder / "index.html").write_text("new")

    assert (out / "index.html").read_text() == "new"
    assert not (out / "old.jpg").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("mine")

    with (
        pytest.raises(EvaluationError, match="holds something that is not a report"),
        report_folder(tmp_path),
    ):
        pytest.fail("nothing may be done")
    with pytest.raises(EvaluationError, match="a file or a link"), report_folder(tmp_path / "diary.txt"):
        pytest.fail("nothing may be done")


def test_what_fails_leaves_the_earlier_report(tmp_path: Path) -> None:
    out = a_report(tmp_path)

    with pytest.raises(RuntimeError, match="torn"), report_folder(out):
        raise RuntimeError("torn")

    assert (out / "old.jpg").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_without_a_report_there_is_no_listener() -> None:
    with report_folder(None) as pictures:
        assert pictures is None


def a_report(folder: Path) -> Path:
    out = folder / "report"
    out.mkdir()
    for name in ("index.html", "evaluation.json", "old.jpg"):
        (out / name).write_text("old")
    return out


def test_seams_have_a_table_for_each_model(report: Path, page: Any) -> None:
    (section,) = page.xpath("//section[@id='seams']")
    assert section.xpath(".//caption/text()") == ["sepia", "<i>&bold"]
    assert section.xpath(".//tbody[1]/tr/td[1]/text()")[:4] == ["fast", "balanced", "fine", "native"]
    document = json.loads((report / "evaluation.json").read_text())
    assert document["tiling"]["models"]["sepia"]["fine"][0]["luma_error"] == 0
