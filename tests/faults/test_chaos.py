"""A short form of `make chaos`: every kind of harm once and some by lot, on either kind of host."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHAOS = Path(__file__).with_name("chaos.py")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("on", ["embedded", "distributed"])
def test_every_file_ends_once_and_right_whatever_is_killed(on: str, tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    command = [sys.executable, str(CHAOS), "--on", on, "--files", "50", "--kills", "10", "--pause", "1"]

    done = subprocess.run([*command, "--json", str(told)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-8000:]}"
    result = json.loads(told.read_text())
    assert result["kills"] >= 10
    assert sum(result["found"]["files"].values()) == 50
    assert result["found"]["wrong"] == []
