import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import tifffile
from hostile_names import NAMES, speaks
from PIL import Image
from skimage import data

from restoration import Compute, Input, Output, OutputFormat, Preset, restore
from restoration.colorize.predicted_error import ERROR_PASSES
from restoration.generators.engines.selection import DEVICES, ENGINES
from worker.cli.options import DeviceName, EngineName
from worker.cli.recipe_options import FormatName, PresetName
from worker.exits import Exit
from worker.recipes import recipe_from


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A gray scan of 96 x 80 pixels."""
    path = tmp_path / "masters" / "camera.tif"
    path.parent.mkdir()
    Image.fromarray(data.camera()).resize((96, 80)).save(path)
    return path


@pytest.fixture
def color(scan: Path) -> Path:
    """A color photograph beside it."""
    path = scan.with_name("cat.png")
    Image.fromarray(data.chelsea()).save(path)
    return path


def test_option_values_are_those_of_the_recipe():
    assert get_args(PresetName) == tuple(Preset)
    assert get_args(FormatName) == tuple(OutputFormat)
    assert get_args(DeviceName) == DEVICES
    assert get_args(EngineName) == ENGINES


def test_a_scan_comes_back_in_color_and_gives_the_master_back(saek, scan, tmp_path):
    done = saek("restore", str(scan), "-o", str(tmp_path / "out.tif"))
    assert done.exit_code == Exit.OK, done.stderr
    with Image.open(tmp_path / "out.tif") as made:
        assert made.mode == "RGB"
        assert np.array_equal(np.asarray(made.convert("L")), tifffile.imread(scan))


def test_the_engine_is_the_requested_one_and_is_reported(saek_json, scan, tmp_path, monkeypatch):
    def engine(*options: str) -> str:
        done = saek_json("restore", str(scan), "-o", str(tmp_path / "out.tif"), "--force", *options)
        return done["files"][0]["restoration"]["engine"].rpartition("/")[0]

    assert engine("--device", "cpu") == "openvino/cpu"
    assert engine("--device", "cpu", "--engine", "torch") == "torch/cpu"
    monkeypatch.setenv("SAEK_DEVICE", "cpu")
    monkeypatch.setenv("SAEK_ENGINE", "torch")
    assert engine() == "torch/cpu"
    assert engine("--engine", "openvino") == "openvino/cpu"


def test_an_engine_without_the_device_is_a_transient_cause(saek, scan, tmp_path):
    done = saek(
        "restore", str(scan), "-o", str(tmp_path / "o.tif"), "--engine", "openvino", "--device", "cuda"
    )
    assert done.exit_code == Exit.RETRY
    assert not (tmp_path / "o.tif").exists()


def test_on_a_cpu_nothing_is_loaded_that_is_not_needed(scan, tmp_path):
    words = ["-m", "worker", "restore", str(scan), "-o", str(tmp_path / "out.tif"), "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *words], check=True, capture_output=True, text=True
    )
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert {"restoration", "openvino"} <= loaded
    assert not {"torch", "sqlalchemy", "celery"} & loaded


def test_the_pixels_are_those_of_a_station(saek_json, scan, tmp_path, settings):
    one = saek_json("restore", str(scan), "-o", str(tmp_path / "out.tif"))
    recipe = recipe_from(settings)
    theirs = restore(Input(scan), recipe, Output(tmp_path / "theirs.tif"), Compute(device=settings.device))
    assert one["recipe"]["fingerprint"] == recipe.fingerprint()
    assert one["files"][0]["restoration"]["pixel_sha256"] == theirs.pixel_sha256
    assert one["files"][0]["restoration"]["path"] == str(tmp_path / "out.tif")


def test_the_recipe_is_what_the_command_line_says(saek_json, scan, tmp_path):
    words = ["restore", str(scan), "-o", str(tmp_path / "out"), "--preset", "fast", "--strength", "0.5"]
    recipe = saek_json(*words, "--warmth", "-0.3", "--format", "png", "--dry-run")["recipe"]
    assert (recipe["preset"], recipe["strength"], recipe["format"]) == ("fast", 0.5, "png")
    assert recipe["warmth"] == -0.3
    assert "pyramid" not in recipe


def test_a_pyramid_is_asked_for_by_option_or_setting(saek_json, scan, tmp_path, monkeypatch):
    words = ["restore", str(scan), "-o", str(tmp_path / "out.tif"), "--preset", "fast"]
    plain = saek_json(*words, "--dry-run")["recipe"]
    asked = saek_json(*words, "--pyramid", "--dry-run")["recipe"]
    monkeypatch.setenv("SAEK_PYRAMID", "true")
    assert saek_json(*words, "--no-pyramid", "--dry-run")["recipe"] == plain
    made = saek_json(*words)
    assert made["recipe"] == asked != plain
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages.first.is_tiled


def test_the_ending_of_the_output_decides_the_format(saek, scan, tmp_path):
    saek("restore", str(scan), "-o", str(tmp_path / "out.jpg"), "--preset", "fast")
    with Image.open(tmp_path / "out.jpg") as made:
        assert made.format == "JPEG"


def test_the_confidence_map_lies_beside_the_picture(saek_json, saek, scan, tmp_path):
    words = ["restore", str(scan.parent), "-o", str(tmp_path / "out"), "--preset", "fast"]
    plain = saek_json(*words)["files"][0]["restoration"]
    assert plain["confidence"] is None
    planned = saek_json(*words, "--dry-run")["files"][0]["plan"]["windows"]
    assert (
        saek_json(*words, "--dry-run", "--confidence")["files"][0]["plan"]["windows"]
        == planned + ERROR_PASSES
    )
    made = saek_json(*words, "--confidence", "--force")["files"][0]["restoration"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "camera.confidence.png",
        "camera.tif",
    ]
    assert made["pixel_sha256"] == plain["pixel_sha256"]
    trust = made["confidence"]
    assert trust["path"] == str(tmp_path / "out" / "camera.confidence.png")
    with Image.open(trust["path"]) as seen:
        values = np.asarray(seen) / 255
    assert values.shape == (80, 96)
    assert trust["mean"] == pytest.approx(values.mean(), abs=0.005)
    assert trust["doubtful"] == pytest.approx((values < 0.5).mean(), abs=0.01)
    shown = saek(*words, "--confidence", "--force").stdout
    assert f"confidence {trust['mean']:.2f}, {trust['doubtful']:.0%} of the picture below 0.5" in shown


def test_a_refused_scan_does_not_stop_the_others(saek, scan, color, tmp_path):
    before = hashlib.sha256(color.read_bytes()).hexdigest()
    ended = saek("restore", str(scan.parent), "-o", str(tmp_path / "out"), "--preset", "fast", "--json")
    assert ended.exit_code == Exit.MASTER
    assert (tmp_path / "out" / "camera.tif").is_file()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["camera.tif"]
    refused = next(file for file in json.loads(ended.stdout)["files"] if file["master"].endswith("cat.png"))
    assert refused["state"] == "refused"
    assert refused["problem"]["code"] == "already-color"
    assert refused["problem"]["remedy"]
    assert hashlib.sha256(color.read_bytes()).hexdigest() == before


def test_a_dry_run_writes_nothing(saek_json, scan, tmp_path):
    scan.with_name("empty.png").touch()
    ended = {
        Path(file["master"]).name: file
        for file in saek_json("restore", str(scan.parent), "-o", str(tmp_path / "out"), "--dry-run")["files"]
    }
    assert ended["camera.tif"]["state"] == "planned"
    assert ended["camera.tif"]["plan"]["pixels"] == 96 * 80
    assert ended["empty.png"]["state"] == "refused"
    assert ended["empty.png"]["problem"]["code"] == "empty-file"
    assert not (tmp_path / "out").exists()


def test_existing_files_are_replaced_by_force_only(saek, scan, tmp_path):
    out = tmp_path / "out.tif"
    out.write_bytes(b"mine")
    words = ["restore", str(scan), "-o", str(out), "--preset", "fast"]
    assert saek(*words).exit_code == Exit.USAGE
    assert out.read_bytes() == b"mine"
    assert saek(*words, "--force").exit_code == Exit.OK
    with Image.open(out) as made:
        assert made.size == (96, 80)


def test_an_unknown_model_is_refused_first(saek, scan, tmp_path):
    refused = saek("restore", str(scan), "-o", str(tmp_path / "out.tif"), "--model", "nothing")
    assert refused.exit_code == Exit.MODEL
    assert "nothing" in refused.stderr


def test_a_missing_file_is_reported(saek, tmp_path):
    ended = saek("restore", str(tmp_path / "no.tif"), "-o", str(tmp_path / "out.tif"))
    assert ended.exit_code == Exit.MASTER
    assert "no.tif" in ended.stdout


def test_ctrl_c_leaves_nothing_behind(tmp_path, settings):
    scan = tmp_path / "large.tif"
    tifffile.imwrite(scan, np.tile(data.camera(), (8, 8)))
    words = [sys.executable, "-m", "worker", "restore", str(scan), "-o", str(tmp_path / "out" / "large.tif")]
    working = subprocess.Popen(
        words, stderr=subprocess.PIPE, text=True, env=os.environ | {"SAEK_PRESET": "native"}
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "out").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    working.send_signal(signal.SIGINT)
    _, said = working.communicate(timeout=60)
    assert working.returncode == Exit.INTERRUPTED
    assert "Traceback" not in said
    assert list((tmp_path / "out").iterdir()) == []


def test_a_run_is_resumed_where_it_stopped(saek_json, saek, scan, tmp_path):
    Image.fromarray(data.moon()[:80, :96]).save(scan.with_name("moon.png"))
    words = ["restore", str(scan.parent), "-o", str(tmp_path / "out"), "--preset", "fast"]
    saek_json("restore", str(scan), "-o", str(tmp_path / "out"), "--preset", "fast")
    before = (tmp_path / "out/camera.tif").stat()
    again = saek_json(*words, "--skip-existing")["files"]
    assert [file["state"] for file in again] == ["skipped", "done"]
    assert (tmp_path / "out/camera.tif").stat().st_mtime_ns == before.st_mtime_ns
    other = saek_json(*words, "--skip-existing", "--strength", "0.5")["files"]
    assert ["another recipe" in file["skipped"] for file in other] == [True, True]
    assert saek(*words, "--skip-existing", "--force").exit_code == Exit.USAGE


def test_a_file_that_is_not_a_derivative_is_not_skipped(saek, scan, tmp_path):
    (tmp_path / "out.tif").write_bytes(b"mine")
    ended = saek("restore", str(scan), "-o", str(tmp_path / "out.tif"), "--skip-existing")
    assert ended.exit_code == Exit.INCOMPLETE
    assert "is not a derivative" in " ".join(ended.stdout.split())
    assert (tmp_path / "out.tif").read_bytes() == b"mine"


def test_a_foreign_file_whose_map_is_missing_is_not_replaced(saek, scan, tmp_path):
    words = ["restore", str(scan), "-o", str(tmp_path / "out.tif"), "--preset", "fast", "--confidence"]
    for name in ("out.tif", "out.confidence.png"):
        (tmp_path / name).write_bytes(b"mine")
        for more in ([], ["--dry-run"]):
            ended = saek(*words, "--skip-existing", *more)
            assert ended.exit_code == Exit.INCOMPLETE
            assert f"{name} exists and is not a derivative" in " ".join(ended.stdout.split())
        assert [path for path in tmp_path.iterdir() if path.is_file()] == [tmp_path / name]
        assert (tmp_path / name).read_bytes() == b"mine"
        (tmp_path / name).unlink()


def test_a_foreign_map_beside_a_derivative_is_not_skipped(saek, scan, tmp_path):
    words = ["restore", str(scan), "-o", str(tmp_path / "out.tif"), "--preset", "fast"]
    assert saek(*words).exit_code == Exit.OK
    (tmp_path / "out.confidence.png").write_bytes(b"mine")
    ended = saek(*words, "--confidence", "--skip-existing")
    assert ended.exit_code == Exit.INCOMPLETE
    assert "out.confidence.png exists and is not a derivative" in " ".join(ended.stdout.split())
    assert (tmp_path / "out.confidence.png").read_bytes() == b"mine"


@pytest.mark.parametrize("options", [("--skip-existing",), ("--skip-existing", "--confidence")])
def test_resuming_never_writes_to_a_master(saek, scan, tmp_path, options):
    before = scan.read_bytes()
    other = scan.with_name("other.tif")
    shutil.copyfile(scan, other)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "camera.tif").symlink_to(scan)
    for words in ((str(scan), "-o", str(scan)), (str(scan), str(other), "-o", str(tmp_path / "other"))):
        refused = saek("restore", *words, "--preset", "fast", *options)
        assert refused.exit_code == Exit.USAGE
        assert "is a master" in " ".join(refused.stderr.split())
    assert scan.read_bytes() == before
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["camera.tif"]


def test_a_scan_with_one_of_two_outputs_is_restored_again(saek_json, scan, tmp_path):
    words = ["restore", str(scan), "-o", str(tmp_path / "out.tif"), "--preset", "fast", "--skip-existing"]

    def state() -> str:
        return saek_json(*words, "--confidence")["files"][0]["state"]

    assert saek_json(*words)["files"][0]["state"] == "done"
    assert state() == "done"
    assert state() == "skipped"
    (tmp_path / "out.tif").unlink()
    assert state() == "done"
    assert (tmp_path / "out.tif").is_file()


@pytest.mark.parametrize("missing", ["out.tif", "out.confidence.png"])
@pytest.mark.parametrize("difference", ["master", "recipe"])
def test_resuming_replaces_no_other_derivative(saek, scan, tmp_path, missing, difference):
    words = ["-o", str(tmp_path / "out.tif"), "--preset", "fast", "--confidence"]
    assert saek("restore", str(scan), *words).exit_code == Exit.OK
    (tmp_path / missing).unlink()
    (kept,) = (path for path in tmp_path.iterdir() if path.is_file())
    before = kept.read_bytes()
    if difference == "master":
        Image.fromarray(data.moon()[:80, :96]).save(scan)
    else:
        words += ["--strength", "0.5"]
    for more in ([], ["--dry-run"]):
        ended = saek("restore", str(scan), *words, "--skip-existing", "--json", *more)
        assert ended.exit_code == Exit.INCOMPLETE
        assert json.loads(ended.stdout)["files"][0]["problem"]["code"] == "output-exists"
    assert kept.read_bytes() == before
    assert not (tmp_path / missing).exists()


@pytest.mark.parametrize(("option", "state"), [("--skip-existing", "skipped"), ("--force", "refused")])
def test_a_scan_that_is_gone_does_not_stop_the_others(saek_json, scan, tmp_path, option, state):
    words = ["restore", str(scan), "-o", str(tmp_path / "out.tif"), "--preset", "fast"]
    saek_json(*words)
    scan.unlink()
    assert saek_json(*words, option)["files"][0]["state"] == state


def test_a_picture_goes_through_a_pipe(scan, tmp_path):
    command = [sys.executable, "-m", "worker", "restore", "-", "-o", "-", "--preset", "fast"]
    ran = subprocess.run(command, input=scan.read_bytes(), capture_output=True, cwd=tmp_path, check=False)
    assert ran.returncode == Exit.OK, ran.stderr
    with Image.open(io.BytesIO(ran.stdout)) as made:
        assert np.array_equal(np.asarray(made.convert("L")), tifffile.imread(scan))
    assert list(tmp_path.iterdir()) == [scan.parent]


@pytest.mark.parametrize("kind", ["tiff", "png", "jpeg"])
def test_a_picture_comes_by_stdin_and_goes_by_stdout(saek, scan, tmp_path, monkeypatch, settings, kind):
    monkeypatch.chdir(tmp_path)
    words = ("restore", "-", "-o", "-", "--format", kind, "--preset", "fast")
    ran = saek(*words, stdin=scan.read_bytes())
    assert ran.exit_code == Exit.OK, ran.stderr
    with Image.open(io.BytesIO(ran.stdout_bytes)) as made:
        assert made.format == kind.upper()
        if kind != "jpeg":
            assert np.array_equal(np.asarray(made.convert("L")), tifffile.imread(scan))
    assert sorted(tmp_path.iterdir()) == sorted([settings.home, scan.parent])


def test_a_bad_picture_on_stdin_is_refused_like_a_file(saek):
    ran = saek("restore", "-", "-o", "-", "--preset", "fast", stdin=b"no picture")
    assert (ran.exit_code, ran.stdout_bytes) == (Exit.MASTER, b"")
    assert "no known image format" in " ".join(ran.stderr.split())


def test_stdin_becomes_a_named_file(saek, scan, tmp_path):
    ran = saek("restore", "-", "-o", str(tmp_path / "out.png"), "--preset", "fast", stdin=scan.read_bytes())
    assert ran.exit_code == Exit.OK
    with Image.open(tmp_path / "out.png") as made:
        assert made.mode == "RGB"


@pytest.mark.parametrize(
    "words", [("-", "b.tif", "-o", "x/"), ("a.tif", "b.tif", "-o", "-"), ("a.tif", "-o", "-", "--json")]
)
def test_streams_hold_one_picture_and_nothing_else(saek, words):
    assert saek("restore", *words).exit_code == Exit.USAGE


@pytest.mark.parametrize("name", ["a.tif", "./a.tif", "below/../a.tif", "below/again/../../a.tif"])
def test_relative_paths_start_at_the_working_folder(saek, scan, tmp_path, monkeypatch, name):
    (tmp_path / "below/again").mkdir(parents=True)
    scan.rename(tmp_path / "a.tif")
    monkeypatch.chdir(tmp_path)
    outputs = {"colored/": "colored/a.tif", "./one.png": "one.png", "below/../two.tif": "two.tif"}
    for out, made in outputs.items():
        ended = saek("restore", name, "-o", out, "--preset", "fast")
        assert ended.exit_code == Exit.OK, ended.stdout
        with Image.open(tmp_path / made) as picture:
            assert np.array_equal(np.asarray(picture.convert("L")), tifffile.imread(tmp_path / "a.tif"))
    assert saek("restore", "below/..", "-o", "third", "--dry-run").exit_code == Exit.OK
    assert not (tmp_path / "third").exists()


def test_an_internal_error_with_a_scan_does_not_stop_the_others(saek, scan, tmp_path, monkeypatch):
    Image.fromarray(data.moon()[:80, :96]).save(scan.with_name("moon.png"))

    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("restoration.pipeline.predict_colors", fails)
    ended = saek("restore", str(scan.parent), "-o", str(tmp_path / "out"), "--preset", "fast", "--json")
    assert ended.exit_code == Exit.INTERNAL
    files = json.loads(ended.stdout)["files"]
    assert [file["problem"]["code"] for file in files] == ["internal-error"] * 2


def test_hostile_names_reach_neither_terminal_nor_metadata(saek, scan, tmp_path):
    folder = tmp_path / "masters"
    masters = [scan.rename(folder / NAMES[0])]
    masters += [Path(shutil.copyfile(masters[0], folder / name)) for name in NAMES[1:]]
    words = ["restore", str(folder), "-o", str(tmp_path / "out"), "--preset", "fast"]
    done = subprocess.run([sys.executable, "-m", "worker", *words], capture_output=True, check=False)
    assert done.returncode == Exit.OK, done.stderr
    assert not speaks((done.stdout + done.stderr).decode())
    for master in masters:
        source = re.search(rb"<dc:source>([^<]*) \(urn", (tmp_path / "out" / master.name).read_bytes())
        assert source is not None
        assert source[1].decode() == master.name.encode("unicode_escape").decode()
    for more in (["--force", "--json"], [], ["--dry-run"]):
        again = saek(*words, *more)
        assert not speaks(again.stdout + again.stderr), more


def test_a_damaged_tag_is_reported(saek, scan, tmp_path, capfd):
    block = b"\x1c\x02\x78\0\x06bridge"
    tifffile.imwrite(scan, tifffile.imread(scan), metadata=None, extratags=[(33723, 7, 11, block, True)])
    content = bytearray(scan.read_bytes())
    entry = content.index((33723).to_bytes(2, "little"))
    content[entry + 8 : entry + 12] = bytes(4)
    scan.write_bytes(content)
    done = saek("restore", str(scan), "-o", str(tmp_path / "out.tif"), "--json")
    assert done.exit_code == Exit.OK, done.stderr
    assert done.stderr + capfd.readouterr().err == ""
    told = json.loads(done.stdout)["files"][0]["restoration"]["metadata"]
    assert told["dropped"] == ["IPTC-IIM (damaged in part)", "TIFF: Software"]


def test_an_odd_master_gets_one_note(saek, scan, tmp_path, monkeypatch, capfd):
    with Image.open(scan) as picture:
        picture.convert("L").save(tmp_path / "odd.jpg")
    whole = (tmp_path / "odd.jpg").read_bytes()
    (tmp_path / "odd.jpg").write_bytes(whole[:-2])
    monkeypatch.chdir(tmp_path)
    done = saek("restore", "odd.jpg", "-o", "out.tif", "--json")
    assert (done.exit_code, done.stderr + capfd.readouterr().err) == (Exit.OK, "")
    told = json.loads(done.stdout)["files"][0]["restoration"]["metadata"]
    assert told["noted"] == ["JPEG: the end marker is missing; every pixel is there"]
