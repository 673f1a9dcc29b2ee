"""What `saek models` finds out about the installed models, and how it tells it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from worker.console import as_sentence, out, table
from worker.formatting import size
from worker.settings import Settings

if TYPE_CHECKING:
    from restoration import ModelCard, ModelError
    from worker.models.library import Default

DEFAULT_REASONS = {
    "setting": "the setting SAEK_MODEL says so",
    "chosen": "it was chosen by `saek models default`",
    "shipped": "it is the default that comes with Saek",
}


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model: its card, or why it cannot be read; and what is wrong with its weights."""

    name: str
    path: Path
    card: "ModelCard | None"
    fault: "ModelError | None"


def check_models(
    settings: Settings, examine: "Callable[[ModelCard], None]", names: Sequence[str] = ()
) -> Iterator[ModelStatus]:
    """Yield every model, or those of the names, with what `examine` raises about it.

    Raises restoration.UnknownModel if there is none of a name.
    """
    from restoration import ModelError, model_card
    from restoration.generators.models import card_paths
    from restoration.generators.models.card import read_card
    from worker.models.library import library_from

    library = library_from(settings)
    paths = {path.stem: path for path in card_paths(library)}
    for name in names or paths:
        if name not in paths:
            model_card(name, library)  # tells which there are
        path, card = paths[name], None
        try:
            card = read_card(path)
            examine(card)
        except ModelError as error:
            yield ModelStatus(path.stem, path, card, error)
        else:
            yield ModelStatus(path.stem, path, card, None)


def default_or_error(settings: Settings) -> "tuple[Default | None, ModelError | None]":
    """Return the model that is taken when none is named, or why there is none."""
    from restoration import ModelError
    from worker.models.library import default_of

    try:
        return default_of(settings), None
    except ModelError as error:
        return None, error


def default_facts(default: "Default | None") -> dict[str, Any] | None:
    """Return the default for `--json`."""
    return None if default is None else {"name": default.card.name, "source": default.source.value}


def print_models(found: Sequence[ModelStatus], default: "Default | None") -> None:
    """Print the table of models, and which is the default."""
    from restoration.generators.models import SHIPPED

    made = table("model", "", "from", "weights", "size", "license", "what it is", right=("size",))
    for one in found:
        card = one.card
        if card is None:
            made.add_row(one.name, status_text(one), "", "", "", "", problem_text(one.fault))
            continue
        taken = default is not None and default.card == card
        made.add_row(
            f"{card.name} (default)" if taken else card.name,
            status_text(one),
            "Saek" if card.folder == SHIPPED else "import",
            card.weights[:12],
            size(card.bytes),
            card.license,
            card.summary if one.fault is None else problem_text(one.fault),
        )
    out().print(made)
    if default is not None:
        out().print(f"{default.card.name} is the default: {DEFAULT_REASONS[default.source]}.")


def status_text(one: ModelStatus) -> Text:
    """Return the word for a model's state."""
    return Text("verified", style="green") if one.fault is None else Text("damaged", style="bold red")


def problem_text(fault: "ModelError | None") -> str:
    """Return what is wrong and what to do about it, as sentences."""
    return "" if fault is None else f"{as_sentence(fault.reason)} {as_sentence(fault.remedy)}"


def problem_facts(fault: "ModelError | None") -> dict[str, str] | None:
    """Return what is wrong for `--json`."""
    return None if fault is None else {"code": fault.code, "reason": fault.reason, "remedy": fault.remedy}
