"""Benchmarks still run: small, and without a look at how long it takes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.slow
@pytest.mark.postgres
def test_a_small_record_is_filled_and_measured() -> None:
    words = ["--scans", "2000", "--jobs", "6000", "--seconds", "1", "--rounds", "1", "--json"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "scale.py", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 1}, done.stderr  # 1: a target was missed
    measured = json.loads(done.stdout)
    rows = {row["what"]: row["value"] for row in measured["rows"]}
    assert {"saek status, in this process", "a claim", "a finish"} <= set(rows)
    assert rows["the dispatcher, with takers that never wait"] > 0
    assert rows["jobs that were sent twice"] == 0


@pytest.mark.slow
def test_the_cost_of_a_small_proof_is_measured() -> None:
    words = ["--megapixels", "0.2", "--bits", "16", "--runs", "1"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "proof.py", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("   0.2 MP 16 b")
