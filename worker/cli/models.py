"""`saek models`: list, verify, show, import, export and remove models; choose the default."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from worker.cli.context import open_record, settings_and_logs
from worker.cli.model_status import (
    DEFAULT_REASONS,
    check_models,
    default_facts,
    default_or_error,
    print_models,
    problem_facts,
    problem_text,
    status_text,
)
from worker.cli.options import Json
from worker.console import err, jsonable, out, print_problem, progress_bar, table, write_json
from worker.exits import Exit
from worker.formatting import count, size
from worker.printable import printable
from worker.settings import Settings

if TYPE_CHECKING:
    from worker.models.download import DownloadProgress

app = typer.Typer(help="List, verify, show, import, export and remove models; choose the default.")

_Name = Annotated[str, typer.Argument(metavar="NAME", help="An installed model.", show_default=False)]


@app.callback(invoke_without_command=True)
def _root(context: typer.Context, json: Json = False) -> None:
    """List, verify, show, import, export and remove models; choose the default."""
    if context.invoked_subcommand is None:
        list_models(json)
    elif json:
        raise typer.BadParameter("write --json after the name of the command", param_hint="--json")


@app.command("list")
def list_models(json: Json = False) -> None:
    """List the installed models and compare their weights with the checksums of their cards."""
    from restoration import SHIPPED, hidden_cards, verify_model
    from worker.models.library import library_from

    settings = settings_and_logs()
    found = list(check_models(settings, verify_model))
    default, fault = default_or_error(settings)
    hidden = hidden_cards(library_from(settings))
    if json:
        write_json(
            {
                "models": [
                    {
                        **jsonable(one.card, {}),
                        "default": default is not None and default.card == one.card,
                        "shipped": one.card.folder == SHIPPED,
                        "verified": one.fault is None,
                    }
                    for one in found
                    if one.card is not None
                ],
                "default": default_facts(default),
                "unreadable": [
                    {"path": printable(one.path), "problem": problem_facts(one.fault)}
                    for one in found
                    if one.card is None
                ],
                "hidden": [printable(path) for path in hidden],
            }
        )
    else:
        print_models(found, default)
        for path in hidden:
            print_problem(
                f"{printable(path)} is never used: a model of that name comes with Saek",
                "import it under another name, then remove the file",
            )
    if fault is not None:
        print_problem(f"there is no default model: {fault.reason}", fault.remedy)
    if fault is not None or any(one.fault for one in found):
        raise typer.Exit(Exit.MODEL)


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Models to verify; all if none is named.")
    ] = None,
    json: Json = False,
) -> None:
    """Verify checksum, card and network of each model, and color a small picture with it."""
    from restoration import try_model

    settings = settings_and_logs()
    found = list(check_models(settings, try_model, names or ()))
    if json:
        write_json(
            {
                "models": [
                    {
                        "name": one.name,
                        "path": printable(one.path),
                        "verified": one.fault is None,
                        "problem": problem_facts(one.fault),
                    }
                    for one in found
                ]
            }
        )
    else:
        made = table("model", "", "found")
        for one in found:
            fits = "checksum, card, network and a test picture are correct"
            made.add_row(one.name, status_text(one), fits if one.fault is None else problem_text(one.fault))
        out().print(made)
    if any(one.fault for one in found):
        raise typer.Exit(Exit.MODEL)


@app.command()
def show(
    name: _Name,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jpg",
            help="Also write a sheet of sample photographs: gray, colored by the model, and original.",
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show the card of a model, its file, and the page on its training and its limits."""
    from restoration import SHIPPED, model_card, page_path, weights_path
    from worker.models.library import library_from

    settings = settings_and_logs()
    card = model_card(name, library_from(settings))
    default, _ = default_or_error(settings)
    page = page_path(card)
    if sheet is not None:
        from restoration.evaluation import showcase
        from worker.models.library import open_model

        showcase(open_model(settings, name), sheet)
        err().print(f"Written: {printable(sheet)}")
    facts = {
        **card.entries(),
        "default": default is not None and default.card == card,
        "shipped": card.folder == SHIPPED,
        "path": printable(weights_path(card)),
        "page": printable(page) if page.is_file() else None,
    }
    if json:
        write_json(facts)
        return
    made = table("", "")
    for key, value in facts.items():
        made.add_row(key.replace("_", " "), "none" if value is None else str(value))
    out().print(made)


@app.command("import")
def import_(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A .safetensors file, a folder with one, a training run, or an https:// URL.",
            show_default=False,
        ),
    ],
    sha256: Annotated[
        str | None,
        typer.Option("--sha256", metavar="HEX", help="Checksum of the file; required for a URL."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name to install it under; required for a training run.")
    ] = None,
    storage: Annotated[
        Literal["fp32", "fp16", "bf16", "int8"],
        typer.Option("--storage", help="Number format of the weights of a training run."),
    ] = "fp16",
    json: Json = False,
) -> None:
    """Install a model after checking it and coloring a test picture; never replaces another model."""
    from restoration import Storage
    from worker.models.importing import import_from, is_address, is_run

    checksum = None if sha256 is None else _checksum(sha256)
    if checksum is None and is_address(source):
        raise typer.BadParameter("a URL needs the checksum of its file", param_hint="--sha256")
    if name is None and is_run(source):
        raise typer.BadParameter("a training run needs a name for the model", param_hint="--name")
    settings = settings_and_logs()
    with _download_progress() as listen:
        done = import_from(
            source, settings, name=name, sha256=checksum, storage=Storage(storage), progress=listen
        )
    if json:
        write_json({"new": done.new, "model": jsonable(done.card, {})})
        return
    card = done.card
    summary = f"{card.name}: {size(card.bytes)}, sha256 {card.weights}"
    if not done.new:
        out().print(f"Already installed: {summary}")
        return
    out().print(f"Installed {summary}")
    out().print(f"To try it: saek restore FILE -o OUT --model {card.name}")
    out().print(f"To make it the default: saek models default {card.name}")


@app.command()
def export(
    name: _Name,
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Folder to copy to.", file_okay=False, show_default=False),
    ],
    json: Json = False,
) -> None:
    """Copy the weights, card and page of a model into a folder, for import by another installation."""
    from restoration import export_model, model_card
    from worker.models.library import library_from

    card = model_card(name, library_from(settings_and_logs()))
    made = export_model(card, folder)
    if json:
        write_json({"model": card.name, "weights": card.weights, "files": [printable(path) for path in made]})
        return
    for path in made:
        out().print(printable(path))
    out().print(f"To import it there: saek models import {printable(made[0])} --sha256 {card.weights}")


@app.command()
def default(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Model to use by default.", show_default=False)
    ] = None,
    shipped: Annotated[
        bool, typer.Option("--shipped", help="Use the default that comes with Saek again.")
    ] = False,
    json: Json = False,
) -> None:
    """Show or change the default model."""
    from restoration import model_card, verify_model
    from worker.models.library import Source, choose_default, default_of, library_from

    if name is not None and shipped:
        raise typer.BadParameter("give a name or --shipped, not both", param_hint="NAME")
    settings = settings_and_logs()
    if name is not None:
        verify_model(model_card(name, library_from(settings)))
    if name is not None or shipped:
        choose_default(settings, name)
    taken = default_of(settings)
    if json:
        write_json(default_facts(taken))
    else:
        out().print(f"{taken.card.name} is the default model ({DEFAULT_REASONS[taken.source]}).")
    if (name is not None or shipped) and taken.source is Source.SETTING:
        print_problem(
            f"the setting SAEK_MODEL still names {taken.card.name}",
            "remove it from the environment and saek.toml, otherwise it overrides the choice",
        )
    elif name is not None or shipped:
        err().print("A running station uses it after its next start; existing derivatives stay.")


@app.command()
def remove(name: _Name, json: Json = False) -> None:
    """Remove an imported model; never a shipped one, the default, or one that queued jobs need."""
    from restoration import remove_model
    from worker.models.library import require_unused

    settings = settings_and_logs()
    require_unused(settings, name)
    if waiting := _unfinished_jobs(settings, name):
        from worker.errors import ModelInUse

        raise ModelInUse(
            reason=f"The model {name} is needed by {count(waiting, 'unfinished job')}.",
            remedy="Wait until they are done, or cancel them with `saek cancel`.",
        )
    freed = remove_model(name, settings.models_path)
    if json:
        write_json({"removed": name, "bytes": freed})
    else:
        out().print(f"Removed {name}, {size(freed)}. Derivatives made with it stay.")


def _checksum(text: str) -> str:
    lower = text.strip().lower().removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", lower):
        raise typer.BadParameter("a SHA-256 checksum has 64 hexadecimal digits", param_hint="--sha256")
    return lower


@contextmanager
def _download_progress() -> "Iterator[DownloadProgress]":
    """Yield a function that shows how many bytes have arrived."""
    with progress_bar(err()) as bar:
        task = bar.add_task("", name="reading the weights", stage="", total=None)

        def listen(here: int, total: int | None) -> None:
            bar.update(task, completed=here, total=total, stage=size(here))

        yield listen


def _unfinished_jobs(settings: Settings, name: str) -> int:
    """Return how many unfinished jobs need the model; 0 where there is no record."""
    from db.catalog import unfinished_jobs

    if settings.database_url is None and not (settings.home / "saek.db").is_file():
        return 0
    with open_record(settings) as database, database.read() as s:
        return unfinished_jobs(s, name)
