"""The commit of a checkout."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from restoration.training import provenance


def _told(package: Path) -> str:
    """What `commit` tells when it is run from there."""
    program = (
        f"import runpy; print(runpy.run_path({str(package / 'training' / 'provenance.py')!r})['commit']())"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing in it but the module."""
    package = tmp_path / "checkout" / "restoration"
    (package / "training").mkdir(parents=True)
    shutil.copy(provenance.__file__, package / "training")
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "First")):
        subprocess.run(["git", *identity, *words], cwd=package.parent, check=True, capture_output=True)
    return package


def test_a_checkout_is_named_by_its_commit(checkout: Path) -> None:
    assert re.fullmatch("[0-9a-f]{40}", _told(checkout))


def test_a_checkout_with_changed_files_is_marked(checkout: Path) -> None:
    before = _told(checkout)
    (checkout / "new.py").write_text("")

    assert _told(checkout) == f"{before}+"


def test_a_package_inside_another_checkout_has_no_commit(checkout: Path) -> None:
    installed = checkout.parent / "venv" / "lib" / "restoration"
    shutil.copytree(checkout, installed)

    assert _told(installed) == "None"
