"""State of the installed models, for tables and for JSON."""

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
    "setting": "set by SAEK_MODEL",
    "chosen": "set by `saek models default`",
    "shipped": "comes with Saek",
}


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One installed model; `card` is None if it cannot be read, `fault` is the reason."""

    name: str
    path: Path
    card: "ModelCard | None"
    fault: "ModelError | None"


def check_models(
    settings: Settings, examine: "Callable[[ModelCard], None]", names: Sequence[str] = ()
) -> Iterator[ModelStatus]:
    """Yield every model, or the named ones, with the error that `examine` raises for it.

    Raises restoration.UnknownModel if a name is unknown.
    """
    from restoration import ModelError, card_paths, model_card, read_card
    from worker.models.library import library_from

    library = library_from(settings)
    paths = {path.stem: path for path in card_paths(library)}
    for name in names or paths:
        if name not in paths:
            model_card(name, library)  # raises UnknownModel, which lists the known names
        path, card = paths[name], None
        try:
            card = read_card(path)
            examine(card)
        except ModelError as error:
            yield ModelStatus(path.stem, path, card, error)
        else:
            yield ModelStatus(path.stem, path, card, None)


def default_or_error(settings: Settings) -> "tuple[Default | None, ModelError | None]":
    """Return the default model, or the error why there is none."""
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
    """Print the table of models and name the default."""
    from restoration import SHIPPED

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
        out().print(f"{default.card.name} is the default model ({DEFAULT_REASONS[default.source]}).")


def status_text(one: ModelStatus) -> Text:
    """Return the state of a model as colored text."""
    return Text("verified", style="green") if one.fault is None else Text("damaged", style="bold red")


def problem_text(fault: "ModelError | None") -> str:
    """Return reason and remedy as sentences; empty for None."""
    return "" if fault is None else f"{as_sentence(fault.reason)} {as_sentence(fault.remedy)}"


def problem_facts(fault: "ModelError | None") -> dict[str, str] | None:
    """Return code, reason and remedy for `--json`."""
    return None if fault is None else {"code": fault.code, "reason": fault.reason, "remedy": fault.remedy}
