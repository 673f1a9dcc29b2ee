import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from restoration.demo_masters import make_samples


def demo(into: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "worker", "demo", "--into", str(into)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_demo_ends_and_shows_the_result_of_each_file(tmp_path: Path) -> None:
    ended = demo(tmp_path / "demo")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    samples = make_samples(tmp_path / "samples")
    assert ended.stdout.count("✓") == len(samples) == 6
    assert "✗" not in ended.stdout
    made = list((tmp_path / "demo" / "outbox").rglob("*.tif"))
    assert len(made) == sum(sample.problem is None for sample in samples)
    with Image.open(tmp_path / "demo" / "before-after.png") as sheet:
        assert min(sheet.size) > 300


def test_the_demo_clears_no_foreign_folder(tmp_path: Path) -> None:
    (tmp_path / "keep.txt").write_text("mine")
    ended = demo(tmp_path)
    assert ended.returncode == 3
    assert "--into" in ended.stderr
    assert (tmp_path / "keep.txt").read_text() == "mine"
