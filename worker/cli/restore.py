"""`saek restore`: single files, at once, without queue or record."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from worker.cli.console import err, out, plain, progress_bar, sentence, table, write_json
from worker.cli.context import settings_and_logs
from worker.cli.options import (
    Device,
    Engine,
    FormatOption,
    Json,
    Model,
    PresetOption,
    Pyramid,
    Strength,
    Warmth,
)
from worker.cli.pieces import Piece, format_of, one_file, pieces_of, refuse_overwriting
from worker.cli.reprocess import recipe_facts, recipe_with
from worker.cli.words import count, duration, megapixels, printable, size
from worker.exits import Exit
from worker.settings import Settings

if TYPE_CHECKING:
    from restoration import Plan, Progress, Recipe, Restoration, RestorationError


@dataclass(frozen=True, slots=True)
class _Ended:
    """What became of one master: exactly one of `made`, `planned` and `fault` is there."""

    piece: Piece
    made: "Restoration | None" = None
    planned: "Plan | None" = None
    fault: "RestorationError | None" = None


def restore(
    *,
    masters: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Scans, or folders of scans.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="The file to write (.tif, .png, .jpg), or a folder; several scans need a folder.",
            show_default=False,
        ),
    ],
    model: Model = None,
    preset: PresetOption = None,
    strength: Strength = None,
    warmth: Warmth = None,
    format: FormatOption = None,  # noqa: A002  (the option's name)
    pyramid: Pyramid = None,
    engine: Engine = None,
    device: Device = None,
    confidence: Annotated[
        bool,
        typer.Option(
            "--confidence",
            help="Also write NAME.confidence.png: how far the colors can be trusted, black to white.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace derivatives that exist.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; tell what would be made and what is refused.")
    ] = False,
    json: Json = False,
) -> None:
    """Color scans right here, with the same pixels that a station would make.

    A scan that cannot be restored is refused with the reason; the others are still made.
    """
    settings = settings_and_logs()
    if format is None and one_file(masters, output):
        asked: str | None = format_of(output)
    else:
        asked = format
    recipe = recipe_with(
        settings,
        model=model,
        preset=preset,
        strength=strength,
        warmth=warmth,
        format=asked,
        pyramid=pyramid,
    )
    pieces = pieces_of(masters, output, recipe.format.suffix, with_confidence=confidence)
    refuse_overwriting(pieces, force=force or dry_run)
    if dry_run:
        ended = [_planned(piece, recipe, settings) for piece in pieces]
    else:
        ended = _restored(pieces, recipe, settings.model_copy(update=_said(engine=engine, device=device)))
    if json:
        write_json(
            {"dry_run": dry_run, "recipe": recipe_facts(recipe), "files": [_facts(one) for one in ended]}
        )
    else:
        _tell(ended)
    code = _exit(ended)
    if code is not Exit.OK:
        raise typer.Exit(code)


def _planned(piece: Piece, recipe: "Recipe", settings: Settings) -> _Ended:
    from restoration import MasterError, identify, plan
    from worker.library import library_from
    from worker.recipes import limits_from

    try:
        facts = identify(piece.master, limits_from(settings))
        asked = piece.confidence is not None
        planned = plan(facts, recipe, library_from(settings), with_confidence=asked)
        return _Ended(piece, planned=planned)
    except MasterError as error:
        return _Ended(piece, fault=error)


def _said(**options: str | None) -> dict[str, str]:
    """Return the options that were given."""
    return {name: word for name, word in options.items() if word is not None}


def _restored(pieces: Sequence[Piece], recipe: "Recipe", settings: Settings) -> list[_Ended]:
    from restoration import LumaMismatch, MasterError, Transient

    ended = []
    with _watched(len(pieces)) as listener:
        for piece in pieces:
            try:
                made = _made(piece, recipe, settings, listener(piece.master))
                ended.append(_Ended(piece, made=made))
            except (MasterError, Transient, LumaMismatch) as error:
                ended.append(_Ended(piece, fault=error))
    return ended


def _made(
    piece: Piece, recipe: "Recipe", settings: Settings, listener: Callable[["Progress"], None]
) -> "Restoration":
    from restoration import restore
    from worker.computing import open_model
    from worker.outputs import draft, publish_draft
    from worker.recipes import limits_from

    with ExitStack() as drafts:
        unfinished, *unfinished_map = (
            drafts.enter_context(draft(path, f"restore{os.getpid()}.{place}"))
            for place, path in enumerate(piece.files)
        )
        made = restore(
            piece.master,
            recipe,
            unfinished,
            progress=listener,
            limits=limits_from(settings),
            loaded=open_model(settings, recipe.model),
            confidence=next(iter(unfinished_map), None),
            threads=settings.threads,
        )
        if made.confidence is not None and piece.confidence is not None:
            publish_draft(made.confidence.path, piece.confidence)
            made = replace(made, confidence=replace(made.confidence, path=piece.confidence))
        publish_draft(unfinished, piece.output)
    return replace(made, path=piece.output)


@contextmanager
def _watched(files: int) -> Iterator[Callable[[Path], Callable[["Progress"], None]]]:
    """Yield a function that shows the work on one master after the other on standard error."""
    with progress_bar(err()) as bar:
        task = bar.add_task("", name="", stage="", total=None)
        begun = 0

        def watch(master: Path) -> Callable[["Progress"], None]:
            nonlocal begun
            begun += 1
            name = printable(master.name) if files == 1 else f"{begun} of {files}  {printable(master.name)}"
            stage = ""

            def listen(progress: "Progress") -> None:
                nonlocal stage
                if progress.stage != stage:
                    stage = progress.stage.value
                    bar.reset(task, total=progress.total, name=name, stage=stage)
                bar.update(task, completed=progress.done, total=progress.total)

            return listen

        yield watch


def _tell(ended: Sequence[_Ended]) -> None:
    made = table("scan", "", "output, or reason and remedy", "size", "luma error", "took")
    for one in ended:
        name = printable(one.piece.master)
        if one.made is not None:
            done = one.made
            took, error = duration(sum(done.seconds.values())), f"{done.luma_max_error}"
            made.add_row(name, _state(one), _places(done), size(done.bytes), error, took)
            for note in done.metadata.noted:
                made.add_row("", Text("note", style="dim"), Text(printable(note), style="dim"), "", "", "")
        elif one.planned is not None:
            cost = f"{megapixels(one.planned.pixels)}, {count(one.planned.windows, 'window')}"
            place = f"{printable(one.piece.output)} ({cost})"
            made.add_row(name, _state(one), place, f"at most {size(one.planned.bytes_estimate)}", "", "")
        elif one.fault is not None:
            made.add_row(
                name, _state(one), f"{sentence(one.fault.reason)} {sentence(one.fault.remedy)}", "", "", ""
            )
    out().print(made)


def _places(made: "Restoration") -> str:
    """Return what was written, the map of confidence with what it amounts to."""
    trust = made.confidence
    if trust is None:
        return printable(made.path)
    told = f"confidence {trust.mean:.2f}, {trust.doubtful:.0%} of the picture below 0.5"
    return f"{printable(made.path)}\n{printable(trust.path)}: {told}"


def _state(one: _Ended) -> Text:
    if one.fault is None:
        return Text("done" if one.made is not None else "planned", style="green")
    return Text("refused", style="yellow") if _code(one) is Exit.MASTER else Text("failed", style="bold red")


def _facts(one: _Ended) -> dict[str, Any]:
    fault = one.fault
    return {
        "master": printable(one.piece.master),
        "output": printable(one.piece.output),
        "state": str(_state(one)),
        "restoration": plain(one.made, {}),
        "plan": plain(one.planned, {}),
        "problem": None
        if fault is None
        else {"code": fault.code, "reason": fault.reason, "remedy": fault.remedy},
    }


def _exit(ended: Sequence[_Ended]) -> Exit:
    """Return the gravest outcome: a fault of ours, a passing cause, a master at fault, or none."""
    codes = {_code(one) for one in ended}
    return next(
        code for code in (Exit.INTERNAL, Exit.RETRY, Exit.MASTER, Exit.OK) if code in codes or code is Exit.OK
    )


def _code(one: _Ended) -> Exit:
    from worker.cli.faults import exit_code

    return Exit.OK if one.fault is None else exit_code(one.fault)
