import os

import pytest


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("SAEK_") and not name.startswith("SAEK_TEST_"):
            monkeypatch.delenv(name)
