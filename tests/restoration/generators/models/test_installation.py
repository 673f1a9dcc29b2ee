"""Import, export and removal of models: complete and tested, or not at all."""

import dataclasses
import fcntl
import hashlib
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save

from restoration.errors import ModelRefused, OutputExists, OutputUnavailable, UnknownModel, WeightsMismatch
from restoration.generators.engines import open_engine
from restoration.generators.models import (
    SHIPPED,
    Library,
    Storage,
    card_toml,
    installation,
    installed_models,
    load_weights,
    model_card,
    page_path,
    verify_model,
    weights_path,
)
from restoration.generators.models.import_card import card_metadata
from restoration.generators.models.installation import Imported, export_model, import_model, remove_model
from restoration.generators.models.torch_weights import pack_weights
from restoration.generators.networks.lite0_unet import Lite0Unet

FACTS: dict[str, str | int | bool] = {
    "name": "mine",
    "summary": "Fresh weights.",
    "architecture": "lite0-unet",
    "in_channels": 1,
    "out_channels": 2,
    "multiple": 32,
    "working_side": 256,
    "statistics": "fixed",
    "license": "Apache-2.0",
}

Offer = Callable[..., bytes]


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    return pack_weights(Lite0Unet().state_dict(), Storage.FP16)


@pytest.fixture(scope="module")
def offer(state: dict[str, torch.Tensor]) -> Offer:
    """Return a weights file with a card of the given entries, or with `card=False` without one."""

    def make(card: bool = True, change: dict[str, torch.Tensor] | None = None, **facts: Any) -> bytes:
        told = {key: value for key, value in {**FACTS, **facts}.items() if value is not None}
        return save({**state, **(change or {})}, card_metadata(told) if card else None)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def library(folder: Path) -> Library:
    return Library((SHIPPED, folder))


@pytest.fixture
def take(folder: Path, library: Library) -> Callable[..., Imported]:
    def take(content: bytes, **more: Any) -> Imported:
        half = len(content) // 2
        return import_model([content[:half], content[half:]], folder, library, **more)

    return take


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock"} if folder.is_dir() else set()


def test_one_file_is_a_whole_model(offer: Offer, take: Any, library: Library, folder: Path) -> None:
    content = offer()

    done = take(content, page=b"# mine\n")

    assert done.new
    assert done.card == model_card("mine", library)
    assert done.card.weights == hashlib.sha256(content).hexdigest()
    assert done.card.bytes == len(content)
    assert page_path(done.card).read_text() == "# mine\n"
    verify_model(done.card)
    chroma = open_engine(done.card, device="cpu").predict(np.full((1, 64, 64), 0.5, np.float32))
    assert np.isfinite(chroma).all()
    assert left(folder) == {"mine.safetensors", "mine.toml", "mine.md"}


def test_a_card_beside_the_weights_serves_as_well(offer: Offer, take: Any) -> None:
    content = offer(card=False)
    whole = dataclasses.replace(
        model_card("archive-1"),
        name="beside",
        weights=hashlib.sha256(content).hexdigest(),
        default=True,
    )

    card = take(content, card=card_toml(whole).encode()).card

    assert (card.name, card.file, card.default) == ("beside", "beside.safetensors", False)


@pytest.mark.parametrize("storage", Storage)
def test_every_way_of_storing_is_taken(storage: Storage, state: dict[str, torch.Tensor], take: Any) -> None:
    full = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}

    card = take(save(pack_weights(full, storage), card_metadata(FACTS))).card

    assert load_weights(card).keys() == state.keys()


def test_another_name_may_be_given(offer: Offer, take: Any, library: Library) -> None:
    assert take(offer(), name="other").card.name == "other"
    assert [card.name for card in installed_models(library)] == [
        *(card.name for card in installed_models()),
        "other",
    ]


@pytest.mark.parametrize("name", ["Mine", "../up", "a/b", "", "-x", ".hidden", "a" * 65, "색"])
def test_a_name_that_is_not_safe_is_refused(name: str, offer: Offer, take: Any, folder: Path) -> None:
    with pytest.raises(ModelRefused):
        take(offer(), name=name)
    with pytest.raises(ModelRefused):
        take(offer(name=name))

    assert left(folder) == set()


def test_the_same_bytes_again_are_no_second_model(offer: Offer, take: Any) -> None:
    assert take(offer()).new

    again = take(offer())

    assert not again.new
    assert again.card.name == "mine"


def test_the_same_bytes_again_repair_a_damaged_copy(offer: Offer, take: Any) -> None:
    card = take(offer()).card
    weights_path(card).write_bytes(b"damaged")

    take(offer())

    verify_model(card)


def test_another_model_of_that_name_is_not_overwritten(offer: Offer, take: Any, library: Library) -> None:
    first = take(offer()).card

    with pytest.raises(ModelRefused, match="is installed") as caught:
        take(offer(summary="Another one."))

    assert "--name" in caught.value.remedy
    assert model_card("mine", library) == first


def test_no_model_can_hide_behind_a_shipped_name(offer: Offer, take: Any, folder: Path) -> None:
    with pytest.raises(ModelRefused, match="comes with Saek"):
        take(offer(name="archive-1"))

    assert left(folder) == set()


def test_a_shipped_model_offered_again_is_there_already(take: Any) -> None:
    shipped = model_card("archive-1")

    done = take(weights_path(shipped).read_bytes(), card=card_toml(shipped).encode())

    assert done == Imported(shipped, new=False)


def test_the_checksum_is_compared_before_anything_is_parsed(take: Any, folder: Path) -> None:
    with pytest.raises(WeightsMismatch, match=r"not f{64}"):
        take(b"no safetensors at all", sha256="f" * 64)

    assert left(folder) == set()


def test_a_card_of_other_weights_is_refused(offer: Offer, take: Any) -> None:
    with pytest.raises(WeightsMismatch, match="card says"):
        take(offer(), card=card_toml(model_card("archive-1")).encode())


def test_two_cards_that_differ_are_refused_by_the_entry(offer: Offer, take: Any) -> None:
    beside = (
        b'name = "other"\nlicense = "MIT"\n'
        + "".join(
            f"{key} = {value!r}\n" for key, value in FACTS.items() if key not in {"name", "license"}
        ).encode()
    )

    with pytest.raises(ModelRefused, match="differs from the one inside: license"):
        take(offer(), card=beside)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"card": False}, "no card"),
        ({"architecture": "to-come"}, "unknown architecture"),
        ({"architecture": "seed-unet", "multiple": 256, "statistics": "instance"}, "not those of the arch"),
        ({"multiple": 16}, "its card says"),
        ({"statistics": "instance"}, "its card says"),
        ({"working_side": 100}, "working side"),
        ({"working_side": 1 << 20}, "working side"),
        ({"license": None}, "lacks license"),
        ({"surprise": "x"}, "unknown surprise"),
        ({"in_channels": "1"}, "in_channels is not of type int"),
        ({"change": {"chroma.bias": torch.ones(3)}}, r"chroma.bias has the shape \(3,\), not \(2,\)"),
        ({"change": {"more": torch.ones(3)}}, "more has the shape"),
        ({"change": {"chroma.bias": torch.full((2,), torch.nan)}}, "not finite in chroma.bias"),
        ({"change": {"chroma.weight": torch.ones(2, 32, 3, 3, dtype=torch.int8)}}, "no scale"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_run_is_refused_with_the_reason(
    facts: dict[str, Any], reason: str, offer: Offer, take: Any, folder: Path
) -> None:
    with pytest.raises(ModelRefused, match=reason):
        take(offer(**facts))

    assert left(folder) == set()


def test_weights_that_overflow_on_a_picture_are_refused(offer: Offer, take: Any, state: Any) -> None:
    huge = {
        name: torch.full_like(tensor, 6e4)
        for name, tensor in state.items()
        if name.startswith("decoder.0") and tensor.ndim > 1
    }

    with pytest.raises(ModelRefused, match="trial picture"):
        take(offer(change={**huge, "decoder.3.join.1.weight": torch.full((32,), 3e38)}))


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 64, b"\xff" * 4096, pickle.dumps({"weights": [1, 2]}, protocol=2)],
    ids=["empty", "zeros", "ones", "pickle"],
)
def test_a_file_that_is_not_safetensors_is_refused(content: bytes, take: Any, folder: Path) -> None:
    with pytest.raises(ModelRefused, match="not a complete safetensors"):
        take(content)

    assert left(folder) == set()


def test_a_file_that_is_cut_off_is_refused(offer: Offer, take: Any) -> None:
    with pytest.raises(ModelRefused, match="not a complete safetensors"):
        take(offer()[:-1000])


def test_a_file_above_the_size_limit_is_refused_while_it_arrives(
    take: Any, folder: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "MAX_WEIGHTS_BYTES", 1000)
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield bytes(400)

    with pytest.raises(ModelRefused, match="larger than 1,000 bytes"):
        import_model(endless(), folder, library)

    assert taken == 3
    assert left(folder) == set()


def test_a_card_without_end_is_refused(offer: Offer, take: Any) -> None:
    with pytest.raises(ModelRefused, match="longer than"):
        take(offer(card=False), card=b"#" * 100_000)


def test_a_source_that_fails_half_way_leaves_nothing(folder: Path, library: Library) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ModelRefused(reason="it broke off", remedy="again")

    with pytest.raises(ModelRefused, match="broke off"):
        import_model(broken(), folder, library)

    assert left(folder) == set()


def test_the_next_import_removes_drafts_of_a_killed_one(offer: Offer, take: Any, folder: Path) -> None:
    folder.mkdir()
    (folder / ".import.0badcafe.part").write_bytes(b"half")

    take(offer())

    assert ".import.0badcafe.part" not in left(folder)


def test_only_one_changes_the_folder_at_a_time(offer: Offer, take: Any, folder: Path) -> None:
    folder.mkdir()
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ModelRefused, match="in progress"):
            take(offer())
    assert take(offer()).new


def test_a_folder_that_cannot_be_written_is_told(offer: Offer, take: Any, folder: Path) -> None:
    folder.touch()

    with pytest.raises(OutputUnavailable, match="models"):
        take(offer())


def test_a_removed_model_leaves_nothing_and_can_come_back(
    offer: Offer, take: Any, folder: Path, library: Library
) -> None:
    card = take(offer(), page=b"# page").card

    assert remove_model("mine", folder) == card.bytes + len(card_toml(card).encode()) + 6

    assert left(folder) == set()
    with pytest.raises(UnknownModel):
        model_card("mine", library)
    assert take(offer()).new


def test_a_model_with_a_broken_card_can_be_removed(offer: Offer, take: Any, folder: Path) -> None:
    take(offer())
    (folder / "mine.toml").write_text("name = ")

    remove_model("mine", folder)

    assert left(folder) == set()


@pytest.mark.parametrize("name", ["ghost", "../models/mine", "", ".lock"])
def test_only_a_model_of_the_folder_is_removed(name: str, offer: Offer, take: Any, folder: Path) -> None:
    take(offer())

    with pytest.raises(UnknownModel):
        remove_model(name, folder)

    assert left(folder) == {"mine.safetensors", "mine.toml"}


def test_a_copy_is_the_same_byte_for_byte_and_can_be_imported(take: Any, tmp_path: Path) -> None:
    shipped = model_card("archive-1")

    made = export_model(shipped, tmp_path / "out")
    again = export_model(shipped, tmp_path / "out")

    assert made == again
    assert [path.name for path in made] == ["archive-1.safetensors", "archive-1.md", "archive-1.toml"]
    assert made[0].read_bytes() == weights_path(shipped).read_bytes()
    card = take(made[0].read_bytes(), card=made[2].read_bytes(), name="copy").card
    assert card.weights == shipped.weights


def test_a_copy_never_replaces_another_file(tmp_path: Path) -> None:
    (tmp_path / "archive-1.md").write_text("my notes")

    with pytest.raises(OutputExists):
        export_model(model_card("archive-1"), tmp_path)

    assert (tmp_path / "archive-1.md").read_text() == "my notes"
    assert not list(tmp_path.glob(".*.part"))
