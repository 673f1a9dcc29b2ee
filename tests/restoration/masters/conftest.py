"""Fixtures for tests of masters."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiff_files import Page, tiff_bytes

from restoration.masters import second_decoder
from restoration.masters.tiff import segments


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write pages, made byte by byte, to a TIFF."""

    def write(*pages: Page, **facts: object) -> Path:
        (tmp_path / "odd.tif").write_bytes(tiff_bytes(*pages, **facts))
        return tmp_path / "odd.tif"

    return write


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make small pictures as many portions of rows as large ones."""
    monkeypatch.setattr(segments, "_SPAN_PIXELS", 5000)
    monkeypatch.setattr(second_decoder, "_PORTION", 5000)
