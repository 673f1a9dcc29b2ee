"""The comparisons of the report: runs and epochs of each figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from restoration.study.matrix import slug
from restoration.study.recipe import FIGURES
from restoration.study.run_folder import SeedRunFolder

BASELINE = "pix2pix"
"""Recipe that the others are compared with."""
TITLES = {
    "a": "pix2pix over the epochs, and beside L1 alone",
    "b": "pix2pix beside a GAN that does not see the gray picture",
    "c": "A patch map of 16 x 16 beside one of 8 x 8",
    "d": "Batch size and kernel size",
}


@dataclass(frozen=True, slots=True)
class ShownGenerator:
    """A kept generator in a figure."""

    folder: SeedRunFolder
    epoch: int
    label: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure with generators of one width and precision."""

    figure: str
    shape: str
    """Width and precision, in words."""
    shown: tuple[ShownGenerator, ...]
    folders: tuple[SeedRunFolder, ...]
    """All its runs, for the curves."""

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"{self.figure}-{slug(self.shape)}"


def comparisons(runs: Sequence[SeedRunFolder]) -> tuple[Comparison, ...]:
    """Compare the runs of each width and precision at the last epoch that all have kept.

    Figure a also shows the baseline at its first checkpoint (20 epochs in the study) and at its end.
    """
    recipes = {folder: folder.recipe() for folder in runs}
    found = []
    for shape in dict.fromkeys(recipes[folder].shape for folder in runs):
        same = [folder for folder in runs if recipes[folder].shape == shape]
        baseline = [folder for folder in same if recipes[folder].name == BASELINE]
        for figure in FIGURES:
            own = [folder for folder in same if recipes[folder].figure == figure and folder not in baseline]
            if figure == FIGURES[0]:
                shown = _over_epochs(baseline)
            elif own:
                shown = ()
            else:
                continue
            together = (*baseline, *own)
            if own:
                shown = _unique((*shown, *_at_one_epoch(together)))
            if shown:
                found.append(Comparison(figure, shape, shown, together))
    return tuple(found)


def _over_epochs(baseline: Sequence[SeedRunFolder]) -> tuple[ShownGenerator, ...]:
    ends = (
        (folder, epoch) for folder in baseline for epoch in (_first_checkpoint(folder), folder.kept()[-1])
    )
    return tuple(_shown(folder, epoch) for folder, epoch in dict.fromkeys(ends))


def _first_checkpoint(folder: SeedRunFolder) -> int:
    """Return the first checkpoint epoch of the recipe or, if it is missing, the first that is kept."""
    kept, asked = folder.kept(), folder.recipe().checkpoint_epochs
    return asked if asked in kept else kept[0]


def _at_one_epoch(folders: Sequence[SeedRunFolder]) -> tuple[ShownGenerator, ...]:
    common = set(folders[0].kept()).intersection(*(folder.kept() for folder in folders[1:]))
    # Without a common epoch, each shows its last one, as the labels say.
    return tuple(_shown(folder, max(common) if common else folder.kept()[-1]) for folder in folders)


def _shown(folder: SeedRunFolder, epoch: int) -> ShownGenerator:
    return ShownGenerator(folder, epoch, f"{folder.recipe().name}, {epoch} epochs")


def _unique(shown: Sequence[ShownGenerator]) -> tuple[ShownGenerator, ...]:
    return tuple(dict.fromkeys(shown))
