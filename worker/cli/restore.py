"""`saek restore`: single files, at once, without queue or record."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import structlog
import typer
from rich.text import Text

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
from worker.cli.output_plan import (
    FoundScans,
    PlannedOutput,
    find_scans,
    format_by_extension,
    is_stdio,
    names_one_file,
    output_path,
    plan_outputs,
    refuse_overwriting,
)
from worker.cli.reprocess import recipe_facts, recipe_with
from worker.cli.stdio import require_redirected, scratch_folder, sent, spooled
from worker.console import as_sentence, err, jsonable, out, print_problem, progress_bar, table, write_json
from worker.exits import Exit
from worker.formatting import count, duration, megapixels, size
from worker.printable import printable
from worker.settings import Settings

if TYPE_CHECKING:
    from restoration import Plan, Progress, Recipe, Restoration


@dataclass(frozen=True, slots=True)
class _Ended:
    """What became of one master: exactly one of `made`, `planned`, `skipped` and `fault` is there."""

    piece: PlannedOutput
    made: "Restoration | None" = None
    planned: "Plan | None" = None
    skipped: str | None = None
    """Why nothing was done."""
    fault: Exception | None = None


def restore(
    *,
    masters: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="Scans, or folders of scans; - is standard input.", show_default=False
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="The file to write (.tif, .png, .jpg), or a folder; several scans need a folder. "
            "- is standard output.",
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
    skip_existing: Annotated[
        bool,
        typer.Option("--skip-existing", help="Pass over scans whose derivative exists: resume a long run."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; tell what would be made and what is refused.")
    ] = False,
    json: Json = False,
) -> None:
    """Color scans right here, with the same pixels that a station would make.

    A scan that cannot be restored is refused with the reason; the others are still made.
    """
    settings = settings_and_logs()
    place = output_path(masters, output)
    _require_meant(masters, place, json=json, force=force, skip_existing=skip_existing, confidence=confidence)
    single = names_one_file(masters, place)
    recipe = recipe_with(
        settings,
        model=model,
        preset=preset,
        strength=strength,
        warmth=warmth,
        format=format_by_extension(place) if format is None and single else format,
        pyramid=pyramid,
    )
    with ExitStack() as scratch:
        folder = scratch.enter_context(scratch_folder())
        if piped := any(map(is_stdio, masters)):
            masters = [spooled(folder)]
        streamed = is_stdio(place)
        found = find_scans(masters, folder / "out" if streamed else place)
        pieces = plan_outputs(
            found,
            folder / "out" if streamed else place,
            recipe.format.suffix,
            single=single,
            with_confidence=confidence,
        )
        pieces = [replace(piece, piped=piped) for piece in pieces]
        refuse_overwriting(pieces, force=force or dry_run or skip_existing)
        passed = _passed_over(pieces, recipe) if skip_existing else {}
        due = [piece for piece in pieces if piece not in passed]
        if dry_run:
            ended = [_planned(piece, recipe, settings) for piece in due]
        else:
            ended = _restored(due, recipe, settings.model_copy(update=_said(engine=engine, device=device)))
        outcomes = passed | {one.piece: one for one in ended}
        ended = [outcomes[piece] for piece in pieces]
        if streamed and not dry_run and ended[0].made is not None:
            sent(ended[0].made.path)
    if json:
        write_json(
            {
                "dry_run": dry_run,
                "recipe": recipe_facts(recipe),
                "files": [_facts(one) for one in ended],
                "sidecars": found.sidecars,
                "unread": [{"folder": printable(path), "reason": why} for path, why in found.unread],
            }
        )
    else:
        _tell(ended, found, streamed=streamed and not dry_run)
    code = _exit(ended, found)
    if code is not Exit.OK:
        raise typer.Exit(code)


def _require_meant(
    masters: Sequence[Path], output: Path, *, json: bool, force: bool, skip_existing: bool, confidence: bool
) -> None:
    """Raise typer.BadParameter for options that contradict each other."""
    if force and skip_existing:
        raise typer.BadParameter("--force and --skip-existing contradict each other")
    if any(map(is_stdio, masters)) and len(masters) > 1:
        raise typer.BadParameter("standard input holds one picture; restore the others by another command")
    if is_stdio(output):
        if len(masters) > 1 or masters[0].is_dir():
            raise typer.BadParameter("standard output takes one picture; several scans need a folder")
        if json or confidence:
            raise typer.BadParameter("standard output takes the picture alone: no --json, no --confidence")
        require_redirected()


def _passed_over(pieces: Sequence[PlannedOutput], recipe: "Recipe") -> dict[PlannedOutput, _Ended]:
    """Return the pieces that need no work, and those whose names another file has taken.

    A piece of which only a part exists is made again if that part is of this master and recipe. Masters are
    read for such pieces only.
    """
    from restoration import OutputExists, disclosed

    ended: dict[PlannedOutput, _Ended] = {}
    for piece in pieces:
        facts = {path: disclosed(path) for path in piece.files if path.exists()}
        foreign = next((path for path, said in facts.items() if "masterSha256" not in said), None)
        if foreign is not None:
            fault = OutputExists(
                reason=f"{printable(foreign.name)} is there and is no derivative",
                remedy="choose another output or move it away",
            )
            ended[piece] = _Ended(piece, fault=fault)
        elif len(facts) < len(piece.files):
            other = _other_derivative(list(facts), piece.master, recipe)
            if other is not None:
                fault = OutputExists(
                    reason=f"{printable(other.name)} exists and was made from another master or recipe",
                    remedy="choose another output, or use --force to replace it",
                )
                ended[piece] = _Ended(piece, fault=fault)
        elif any(said.get("recipeFingerprint") != recipe.fingerprint() for said in facts.values()):
            ended[piece] = _Ended(piece, skipped="exists, made by another recipe; --force makes it again")
        else:
            ended[piece] = _Ended(piece, skipped="exists")
    return ended


def _other_derivative(files: Sequence[Path], master: Path, recipe: "Recipe") -> Path | None:
    """Return the first of the files that was not made from this master by this recipe."""
    from worker.outbox.paths import belongs_to_another

    if not files:
        return None
    try:
        with master.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None  # restoring refuses the master before anything is replaced
    return next((path for path in files if belongs_to_another(path, sha256, recipe.fingerprint())), None)


def _planned(piece: PlannedOutput, recipe: "Recipe", settings: Settings) -> _Ended:
    from restoration import ModelError, identify, plan
    from worker.models.library import library_from
    from worker.recipes import limits_from

    try:
        facts = identify(piece.master, limits_from(settings))
        asked = piece.confidence is not None
        planned = plan(facts, recipe, library_from(settings), with_confidence=asked)
        return _Ended(piece, planned=planned)
    except ModelError:
        raise
    except Exception as error:  # noqa: BLE001  (one scan must not stop the others)
        return _Ended(piece, fault=error)


def _said(**options: str | None) -> dict[str, str]:
    """Return the options that were given."""
    return {name: word for name, word in options.items() if word is not None}


def _restored(pieces: Sequence[PlannedOutput], recipe: "Recipe", settings: Settings) -> list[_Ended]:
    """Restore one after the other; what fails is that scan's, and the others go on.

    Raises restoration.ModelError: no scan could be restored.
    """
    from restoration import ModelError

    ended = []
    with _watched(len(pieces)) as listener:
        for piece in pieces:
            try:
                made = _made(piece, recipe, settings, listener(piece.master))
                ended.append(_Ended(piece, made=made))
            except ModelError:
                raise
            except Exception as error:  # noqa: BLE001  (one scan must not stop the others)
                ended.append(_Ended(piece, fault=error))
    return ended


def _made(
    piece: PlannedOutput, recipe: "Recipe", settings: Settings, listener: Callable[["Progress"], None]
) -> "Restoration":
    from restoration import Compute, Input, Output, publish_draft, restore_draft
    from worker.models.open_model import open_model
    from worker.outbox.paths import work_draft
    from worker.recipes import limits_from

    master = Input(piece.master, limits=limits_from(settings))
    compute = Compute(threads=settings.threads, model=open_model(settings, recipe.model))
    work = f"restore{os.getpid()}"
    with ExitStack() as drafts:
        draft, *map_draft = (
            drafts.enter_context(work_draft(path, f"{work}.{place}"))
            for place, path in enumerate(piece.files)
        )
        unfinished = Output(draft, next(iter(map_draft), None))
        made = restore_draft(master, recipe, unfinished, compute, listener)
        return publish_draft(made, Output(piece.output, piece.confidence))


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


def _tell(ended: Sequence[_Ended], found: FoundScans, *, streamed: bool) -> None:
    console = err() if streamed else out()
    made = table("scan", "", "output, or reason and remedy", "size", "luma error", "took")
    for one in ended:
        name = "standard input" if one.piece.piped else printable(one.piece.master)
        if one.made is not None:
            done = one.made
            took, error = duration(sum(done.seconds.values())), f"{done.luma_max_error}"
            place = "standard output" if streamed else _places(done)
            made.add_row(name, _state(one), place, size(done.bytes), error, took)
            for note in done.metadata.noted:
                made.add_row("", Text("note", style="dim"), Text(printable(note), style="dim"), "", "", "")
        elif one.planned is not None:
            cost = f"{megapixels(one.planned.pixels)}, {count(one.planned.windows, 'window')}"
            place = f"{printable(one.piece.output)} ({cost})"
            made.add_row(name, _state(one), place, f"at most {size(one.planned.bytes_estimate)}", "", "")
        elif one.skipped is not None:
            made.add_row(name, _state(one), f"{printable(one.piece.output)} {one.skipped}", "", "", "")
        elif one.fault is not None:
            reason, remedy = _problem(one.fault)
            made.add_row(name, _state(one), f"{as_sentence(reason)} {as_sentence(remedy)}", "", "", "")
    console.print(made)
    if found.sidecars:
        console.print(f"{count(found.sidecars, 'file')} passed over: sidecars, no pictures")
    for folder, reason in found.unread:
        print_problem(
            f"{printable(folder)} could not be read to its end ({reason})", "Give the right to read it"
        )


def _problem(fault: Exception) -> tuple[str, str]:
    """Return reason and remedy; of a fault of Saek's own the traceback goes to the log."""
    reason, remedy = getattr(fault, "reason", None), getattr(fault, "remedy", None)
    if reason is not None and remedy is not None:
        return str(reason), str(remedy)
    structlog.get_logger("saek").error("internal error", exc_info=fault)
    return f"a fault of Saek's own ({type(fault).__name__})", "the traceback is in the log; report it"


def _places(made: "Restoration") -> str:
    """Return what was written, the map of confidence with what it amounts to."""
    trust = made.confidence
    if trust is None:
        return printable(made.path)
    told = f"confidence {trust.mean:.2f}, {trust.doubtful:.0%} of the picture below 0.5"
    return f"{printable(made.path)}\n{printable(trust.path)}: {told}"


def _state(one: _Ended) -> Text:
    if one.skipped is not None:
        return Text("skipped", style="dim")
    if one.fault is None:
        return Text("done" if one.made is not None else "planned", style="green")
    if _code(one) in {Exit.MASTER, Exit.INCOMPLETE}:
        return Text("refused", style="yellow")
    return Text("failed", style="bold red")


def _facts(one: _Ended) -> dict[str, Any]:
    problem = None
    if one.fault is not None:
        reason, remedy = _problem(one.fault)
        problem = {"code": getattr(one.fault, "code", "internal-error"), "reason": reason, "remedy": remedy}
    return {
        "master": "-" if one.piece.piped else printable(one.piece.master),
        "output": printable(one.piece.output),
        "state": str(_state(one)),
        "restoration": jsonable(one.made, {}),
        "plan": jsonable(one.planned, {}),
        "skipped": one.skipped,
        "problem": problem,
    }


def _exit(ended: Sequence[_Ended], found: FoundScans) -> Exit:
    """Return the gravest outcome: a fault of ours, a passing cause, a master at fault, a folder, or none."""
    codes = {_code(one) for one in ended} | ({Exit.INCOMPLETE} if found.unread else set())
    gravest = (Exit.INTERNAL, Exit.RETRY, Exit.MASTER, Exit.INCOMPLETE)
    return next((code for code in gravest if code in codes), Exit.OK)


def _code(one: _Ended) -> Exit:
    from worker.cli.error_report import exit_code

    return Exit.OK if one.fault is None else exit_code(one.fault)
