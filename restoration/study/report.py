"""The Markdown page of the study: runs, metrics, comparisons, and the commands that reproduce them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from restoration.study.candidate_metrics import CandidateMetrics
from restoration.study.candidates import EvaluatedCandidate
from restoration.study.channel_statistics import CHANNELS
from restoration.study.comparisons import TITLES, Comparison
from restoration.study.findings import Findings

COLUMNS = (
    "PSNR",
    "SSIM",
    "chroma error",
    "of gray's",
    "CIEDE2000",
    "color of truth's",
    "Fréchet",
    "features",
)


@dataclass(frozen=True, slots=True)
class DrawnComparison:
    """Paths of the files of a comparison, relative to the page."""

    comparison: Comparison
    sheet: str
    pictures: tuple[str, ...]
    curves: Mapping[str, str]


def report(findings: Findings, drawn: Sequence[DrawnComparison], recipes: str, notes: str = "") -> str:
    """Return the page as Markdown.

    `recipes` is the name of the folder of recipes; `notes` are a person's remarks on the results.
    """
    parts = [
        "# The seed's experiment, reproduced and evaluated\n",
        _opening(findings, recipes),
        _runs(findings),
        notes.strip() + "\n" if notes else "",
        _preprocessing(findings),
        _figures(findings),
        _luminance(findings),
        *(_comparison(one, findings) for one in drawn),
        _hues(findings),
    ]
    return "\n".join(part for part in parts if part)


def command_lines(findings: Findings, recipes: str) -> tuple[str, ...]:
    """Return the commands that reproduce the runs and the page."""
    full = {one.recipe.name: one.recipe for one in findings.matrix}
    limits: dict[str, list[str]] = {}
    for folder in findings.runs:
        recipe = folder.recipe()
        asked = full.get(recipe.name, recipe)
        words = f" --base {recipe.base}" if recipe.base != asked.base else ""
        words += f" --precision {recipe.precision}" if recipe.precision != asked.precision else ""
        words += f" --epochs {folder.epochs()}" if folder.epochs() < asked.epochs else ""
        limits.setdefault(words, []).append(recipe.name)
    places = "--data DIR --out OUT --report FILE"
    return tuple(
        f"saek study {recipes}{_only(names, full)}{words} {places}" for words, names in limits.items()
    )


def _only(names: Sequence[str], known: Iterable[str]) -> str:
    return "" if set(names) == set(known) else "".join(f" --only {name}" for name in names)


def _opening(findings: Findings, recipes: str) -> str:
    train, test = findings.pictures
    commands = "\n".join(command_lines(findings, recipes))
    return (
        f"Every number and figure here was made by\n\n```sh\n{commands}\n```\n\n"
        f"which trains on {train} pictures and evaluates on {test} others, none of them ever in a training"
        " batch; all figures are means over those, at 256 x 256 pixels. All numbers, and the losses of every"
        " epoch, are in `study.json` beside the figures. A command continues where it was stopped. Without"
        " `--only`, `--epochs`, `--base` and `--precision` it completes the whole matrix at full width, which"
        " is work for a machine with a CUDA device.\n"
    )


def _runs(findings: Findings) -> str:
    rows = []
    for folder in findings.runs:
        recipe, facts = folder.recipe(), json.loads(folder.facts.read_text("utf-8"))
        spent = json.loads(folder.metrics.read_text("utf-8"))["spent"]
        rows.append(
            (
                recipe.name,
                recipe.about,
                recipe.base,
                recipe.precision,
                folder.epochs(),
                recipe.batch,
                f"{recipe.kernel} x {recipe.kernel}",
                "none" if recipe.critic == "none" else f"{recipe.patch_map} x {recipe.patch_map}",
                f"{spent['seconds'] / 3600:.2f}",
                f"{spent['samples_per_second']:.1f}",
                facts["machine"],
            )
        )
    head = (
        "run",
        "what it is",
        "base",
        "learns in",
        "epochs run",
        "batch",
        "kernel",
        "patch map",
        "hours",
        "pictures/s",
        "machine",
    )
    table = _table(head, rows, words=2)
    return f"## What was run\n\n{table}\n{_missing(findings)}"


def _missing(findings: Findings) -> str:
    left = [one for one in findings.matrix if one.left]
    if not left:
        return "This is the whole matrix, at full width and length.\n"
    words = ", ".join(f"{one.recipe.name} ({one.done} of {one.recipe.epochs} epochs)" for one in left)
    return f"Of the matrix as the recipes have it ({left[0].recipe.shape}) not done: {words}.\n"


def _preprocessing(findings: Findings) -> str:
    study = findings.preprocessing
    means, stds = (*study.color_mean, study.gray_mean), (*study.color_std, study.gray_std)
    rows = []
    for place, name in enumerate(CHANNELS):
        ours = [one.channels[place] for one in findings.statistics.values()]
        rows.append(
            (
                name,
                f"{means[place]:.5f}",
                *(f"{one.mean:.5f} ({one.mean - means[place]:+.5f})" for one in ours),
                f"{stds[place]:.5f}",
                *(f"{one.std:.5f} ({one.std - stds[place]:+.5f})" for one in ours),
            )
        )
    sets = tuple(findings.statistics)
    head = ("channel", "mean", *sets, "std", *sets)
    reach = ", ".join(f"{low:.3f} to {high:.3f}" for low, high in study.color.reach())
    perfect = findings.baseline("perfect")
    figures, kept = (one.rendering.figures for one in (perfect.generated, perfect.luminance_kept))
    return (
        "## Preprocessing and the limit of Tanh\n\n"
        "Per-channel mean and standard deviation over all pixels, the recipe's beside those that"
        " `saek data stats` finds (difference in brackets).\n\n"
        f"{_table(head, rows, words=1)}\n"
        f"{_nearest(findings)}\n\n"
        f"Tanh ends at 1, so the generator reaches only {reach} (red, green, blue):"
        f" {findings.unreachable:.1%} of the test pictures' values are beyond. A perfect generator under this"
        f" normalization has a PSNR of {figures.psnr:.2f} dB and a CIEDE2000 of {figures.ciede2000:.2f}; with"
        f" the gray picture's luminance under its chroma {kept.psnr:.2f} dB and {kept.ciede2000:.2f}.\n"
    )


def _nearest(findings: Findings) -> str:
    """Return a sentence on which pictures have the statistics nearest to the recipe's."""
    study = findings.preprocessing
    given = (*study.color_mean, study.gray_mean, *study.color_std, study.gray_std)
    away = {}
    for name, found in findings.statistics.items():
        ours = [one.mean for one in found.channels] + [one.std for one in found.channels]
        away[name] = max(abs(first - second) for first, second in zip(ours, given, strict=True))
    nearest, *others = sorted(away, key=away.__getitem__)
    apart = ", ".join(f"those of {name} up to {away[name]:.5f}" for name in others)
    return f"The figures of {nearest} are nearest, at most {away[nearest]:.5f} away; {apart}."


def _figures(findings: Findings) -> str:
    rows = [(_label(one), *_cells(one.generated)) for one in findings.candidates]
    return (
        "## Figures\n\n"
        "As generated, with its luminance; the shipped model keeps the luminance. The columns are those of"
        " `saek evaluate`.\n\n"
        f"{_table(('', *COLUMNS), rows, words=1)}"
    )


def _luminance(findings: Findings) -> str:
    rows = []
    for one in findings.candidates:
        if one.candidate.keeps_luminance:
            continue
        made, kept = one.generated.rendering.figures, one.luminance_kept.rendering.figures
        rows.append(
            (
                _label(one),
                f"{made.psnr:.2f}",
                f"{kept.psnr:.2f}",
                f"{one.gain:+.2f}",
                f"{made.ssim:.4f}",
                f"{kept.ssim:.4f}",
                f"{made.ciede2000:.2f}",
                f"{kept.ciede2000:.2f}",
            )
        )
    head = ("", "PSNR painted", "kept", "gain, dB", "SSIM painted", "kept", "CIEDE2000 painted", "kept")
    return (
        "## Gain from keeping the luminance\n\n"
        "The chroma of the painted picture on the gray picture itself, whose luma stays exact.\n\n"
        f"{_table(head, rows, words=1)}"
    )


def _comparison(drawn: DrawnComparison, findings: Findings) -> str:
    one = drawn.comparison
    images = [f"![{loss}, {one.shape}]({file})" for loss, file in drawn.curves.items()]
    last = [(folder, line) for folder in one.folders for line in folder.lines()[-1:]]
    rows = [
        (folder.recipe().name, line["epoch"], line["l1"], line["adversarial"], line["discriminator"])
        for folder, line in last
    ]
    shown = {(item.folder.path.name, item.epoch) for item in one.shown}
    figures = [
        (_label(evaluated), *_cells(evaluated.generated))
        for folder in one.folders
        for evaluated in findings.of_run(folder)
        if (folder.path.name, evaluated.candidate.epoch) in shown
    ]
    names = ", ".join(name.rpartition("/")[2] for name in drawn.pictures)
    return (
        f"## ({one.figure}) {TITLES[one.figure]}, {one.shape}\n\n"
        f"![gray, truth, {', '.join(item.label for item in one.shown)}]({drawn.sheet})\n\n"
        f"From above: gray, truth, {'; '.join(item.label for item in one.shown)}. Test pictures: {names}.\n\n"
        f"{_table(('', *COLUMNS), figures, words=1)}\n"
        f"{' '.join(images)}\n\n"
        "Mean losses of the last epoch:\n\n"
        f"{_table(('run', 'epoch', 'L1', 'adversarial', 'discriminator'), rows, words=1)}"
    )


def _hues(findings: Findings) -> str:
    rows = []
    for one in findings.candidates:
        if one.candidate.name in {"gray", "truth"}:
            continue
        cells: list[str] = []
        for hue in one.generated.hues:
            if hue.chroma_ratio is None or hue.right is None or hue.ciede2000 is None:
                cells += ["-"] * 3
            else:
                cells += [f"{hue.chroma_ratio:.2f}", f"{hue.right:.0%}", f"{hue.ciede2000:.1f}"]
        rows.append((_label(one), *cells))
    hues = findings.candidates[0].generated.hues
    columns = [f"{hue.name}: {what}" for hue in hues for what in ("chroma", "right", "CIEDE2000")]
    shares = ", ".join(f"{hue.name} {hue.share:.1%}" for hue in hues)
    return (
        "## Reds and yellows\n\n"
        f"Pixels by the hue that they truly have ({shares} of all; the others are nearly gray, or orange and"
        " brown). Chroma: mean CIELAB chroma in parts of the truth's. Right: share that has the same hue in"
        " the painted picture.\n\n"
        f"{_table(('', *columns), rows, words=1)}"
    )


def _label(one: EvaluatedCandidate) -> str:
    recipe, epoch = one.candidate.recipe, one.candidate.epoch
    return one.candidate.name if recipe is None else f"{recipe.name}, {recipe.shape}, epoch {epoch}"


def _cells(metrics: CandidateMetrics) -> tuple[str, ...]:
    rendering, figures = metrics.rendering, metrics.rendering.figures
    return (
        f"{figures.psnr:.2f}",
        f"{figures.ssim:.4f}",
        f"{figures.chroma_l1:.4f}",
        f"{rendering.chroma_ratio:.3f}",
        f"{figures.ciede2000:.2f}",
        f"{rendering.colorfulness_ratio:.3f}",
        "-" if rendering.frechet is None else f"{rendering.frechet:.2f}",
        f"{figures.feature_distance:.4f}",
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]], *, words: int) -> str:
    """Return a Markdown table; the first `words` columns are aligned left, the others right."""
    rule = ("---",) * words + ("---:",) * (len(head) - words)
    return "".join(f"| {' | '.join(map(str, row))} |\n" for row in (head, rule, *rows))
