import pytest
from PIL import Image

from worker.exits import Exit


@pytest.fixture
def made(record, settings):
    """Two files that are done, as they lie in inbox and outbox."""
    for name in ("서울/a.tif", "b.tif"):
        record.done(name)
        for path, mode in (
            (settings.inbox_path / name, "L"),
            (settings.outbox_path / f"{name}.color.tif", "RGB"),
        ):
            path.parent.mkdir(exist_ok=True)
            Image.new(mode, (40, 30), "gray").save(path)


def test_all_that_is_done_is_shown(saek_json, made, record, tmp_path):
    record.file("queued.tif")
    sheet = saek_json("contact-sheet", "--all", "-o", str(tmp_path / "sheet.png"))
    assert sheet["done"] == len(sheet["files"]) == 2
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.width > 300


def test_the_choice_and_the_limit_hold(saek_json, made, tmp_path):
    sheet = ["contact-sheet", "-o", str(tmp_path / "sheet.png"), "--force"]
    assert saek_json(*sheet, "--collection", "서울")["done"] == 1
    limited = saek_json(*sheet, "--all", "--limit", "1")
    assert (len(limited["files"]), limited["done"]) == (1, 2)


def test_nothing_done_is_nothing_found(saek, record, tmp_path):
    record.file("a.tif")
    assert saek("contact-sheet", "a.tif", "-o", str(tmp_path / "sheet.png")).exit_code == Exit.NOT_FOUND


def test_no_file_is_overwritten_and_no_sheet_goes_to_the_inbox(saek, made, settings, tmp_path):
    (tmp_path / "mine.png").touch()
    for out in (tmp_path / "mine.png", tmp_path / "sheet.jpg", settings.inbox_path / "sheet.png"):
        assert saek("contact-sheet", "--all", "-o", str(out)).exit_code == Exit.USAGE
    assert (tmp_path / "mine.png").read_bytes() == b""


def test_a_file_with_a_queued_or_failed_reprocessing_is_shown(saek_json, record, settings, tmp_path):
    record.again("queued.tif")
    record.failed_again("failed.tif")
    for name in ("queued.tif", "failed.tif"):
        Image.new("L", (40, 30), "gray").save(settings.inbox_path / name)
        Image.new("RGB", (40, 30), "gray").save(settings.outbox_path / f"{name}.color.tif")
    sheet = saek_json("contact-sheet", "--all", "-o", str(tmp_path / "sheet.png"))
    assert sheet["done"] == len(sheet["files"]) == 2


def test_files_are_chosen_by_state_too(saek_json, made, record, tmp_path):
    record.again("c.tif")
    for folder, mode in (("inbox", "L"), ("outbox", "RGB")):
        name = "c.tif" if folder == "inbox" else "c.tif.color.tif"
        Image.new(mode, (40, 30), "gray").save(tmp_path / "home" / folder / name)
    sheet = ["contact-sheet", "-o", str(tmp_path / "sheet.png"), "--force"]
    assert saek_json(*sheet, "--state", "queued")["done"] == 1
    assert saek_json(*sheet, "--state", "done", "--state", "queued")["done"] == 3
