"""Training recipes: reading, errors, fingerprint."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from restoration.generators.networks.architectures import ARCHITECTURES
from restoration.training.recipe import (
    DataPlan,
    ModelPlan,
    Objective,
    Phase,
    TrainingError,
    TrainingRecipe,
    read_recipe,
    shipped_recipe,
)

TWO_PHASES = TrainingRecipe(
    "two",
    (
        Phase("first", samples=160, batch=16, rate_first=1.0, rate_last=0.0),
        Phase(
            "second", samples=80, batch=8, rate_first=0.1, rate_last=0.1, adversarial=0.01, critic_first=24
        ),
    ),
)


def test_the_shipped_recipe_is_read() -> None:
    recipe = read_recipe(shipped_recipe("archive"))

    assert recipe.name == "archive"
    assert recipe.model.architecture == "lite0-unet"
    assert sum(recipe.data.shares.values()) == pytest.approx(1.0)
    assert "coworking" not in recipe.data.shares


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in shipped_recipe("archive").parent.glob("*.toml"))
)
def test_every_shipped_recipe_fits_its_generator(name: str) -> None:
    recipe = read_recipe(shipped_recipe(name))

    assert recipe.name == name
    architecture = ARCHITECTURES[recipe.model.architecture]
    assert not any(phase.size % architecture.multiple for phase in recipe.phases)
    assert architecture.statistics == "instance" or recipe.model.statistics == "crop"


@pytest.mark.parametrize(
    ("kind", "heading"),
    [
        (TrainingRecipe, "## The recipe"),
        (ModelPlan, "`[model]`"),
        (DataPlan, "`[data]`"),
        (Objective, "`[objective]`"),
        (Phase, "`[[phase]]`, one or more"),
    ],
)
def test_the_page_on_training_tells_every_entry_and_its_default(kind: type, heading: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "research" / "training.md").read_text()
    table = page[page.index(f"\n{heading}") :].split("\n|---", 1)[1].split("\n\n", 1)[0]
    told = {row.split("`")[1]: row.split("|")[2].strip(" `") for row in table.splitlines()[1:]}

    tables = {"phases", "model", "data", "objective"}
    entries = {entry.name: entry.default for entry in dataclasses.fields(kind) if entry.name not in tables}
    assert told.keys() == entries.keys()
    for name, default in entries.items():
        if isinstance(default, bool):
            assert told[name] == str(default).lower()
        elif isinstance(default, int | float):
            assert float(told[name]) == default
        elif isinstance(default, str):
            assert told[name] == default


def test_steps_are_counted_over_all_phases() -> None:
    assert TWO_PHASES.steps == 20
    assert [TWO_PHASES.at(step).phase.name for step in (0, 9, 10, 19)] == [
        "first",
        "first",
        "second",
        "second",
    ]


def test_there_is_nothing_after_the_last_step() -> None:
    with pytest.raises(IndexError):
        TWO_PHASES.at(20)


def test_the_learning_rate_falls_along_half_a_cosine() -> None:
    rates = [TWO_PHASES.at(step).rate for step in range(10)]

    assert rates[0] == pytest.approx(1.0)
    assert rates[5] == pytest.approx(0.5)
    assert rates == sorted(rates, reverse=True)
    assert TWO_PHASES.at(15).rate == pytest.approx(0.1)


def test_an_adversarial_phase_starts_with_the_critic_alone() -> None:
    assert [TWO_PHASES.at(step).critic_alone for step in range(9, 15)] == [
        False,
        True,
        True,
        True,
        False,
        False,
    ]


def test_the_fingerprint_follows_what_decides_the_weights() -> None:
    assert dataclasses.replace(TWO_PHASES, seed=2).fingerprint() != TWO_PHASES.fingerprint()
    assert dataclasses.replace(TWO_PHASES, checkpoint_minutes=1.0).fingerprint() == TWO_PHASES.fingerprint()


def test_phases_that_have_not_begun_may_change() -> None:
    longer = dataclasses.replace(TWO_PHASES.phases[1], samples=800)
    changed = dataclasses.replace(TWO_PHASES, phases=(TWO_PHASES.phases[0], longer))

    assert changed.fingerprint(1) == TWO_PHASES.fingerprint(1)
    assert changed.fingerprint(2) != TWO_PHASES.fingerprint(2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "x"', "has no phase"),
        ('name = "x"\n[[phase]]\nname = "only"', "missing entry 'samples'"),
        ('name = "x"\nsurprise = 1\n[[phase]]\nname = "only"\nsamples = 1', "unknown entry 'surprise'"),
        (
            'name = "x"\n[data]\nsides = 1\n[[phase]]\nname = "only"\nsamples = 1',
            r"\[data\]: unknown entry 'sides'",
        ),
        ("name = ", "cannot be read"),
        ('name = "x"\nworkers = -1\n[[phase]]\nname = "only"\nsamples = 1', "workers = -1"),
        ('name = "x"\n[[phase]]\nname = "only"\nsamples = 1\nbranches = 0', "branches = 0 in the phase only"),
        ('name = "x"\n[model]\ndropout = 1.0\n[[phase]]\nname = "only"\nsamples = 1', "dropout = 1"),
        ('name = "x"\n[data]\nsqueeze = 0.5\n[[phase]]\nname = "only"\nsamples = 1', r"squeeze = 0\.5"),
        (
            'name = "x"' + 2 * '\n[[phase]]\nname = "twin"\nsamples = 1',
            "two phases have the same name",
        ),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_told_with_its_file(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)

    with pytest.raises(TrainingError, match=words) as caught:
        read_recipe(path)

    assert caught.value.path == path


def test_entries_reach_their_places(smoke_recipe: Callable[..., Path]) -> None:
    recipe = read_recipe(smoke_recipe(first=6))

    assert recipe.model.pretrained is False
    assert recipe.phases[0].samples == 6
    assert recipe.phases[1].unfreeze_from == 11
