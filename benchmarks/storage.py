"""Color error and file size of weights stored in fewer bits.

    python benchmarks/storage.py [--model NAME | --run RUN] [--data DIR] [--pictures 60] [--json]

The original weights (of a model as stored, of a run in fp32) color the pictures; so do the same weights
stored and read again as fp32, fp16, bf16 and int8 (symmetric, one fp32 scale per output channel). The
columns are the file size, the difference of the chroma (|d| of Cb and Cr, full range 1), mean and 99th
percentile of CIEDE2000 between the two colored pictures, and the change of the error against the true
colors. `--data` takes the validation half of a folder's manifest, never its test half; without it scikit-
image's color photographs are used.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one storage format over all pictures."""

    storage: str
    bytes: int
    mean: float
    """Of |d chroma|."""
    p99: float
    largest: float
    ciede2000: float
    """Mean difference between the pictures colored by the stored weights and by the original ones."""
    ciede2000_p99: float
    chroma_l1_change: float
    """Mean chroma error against the truth, minus that of the original weights."""


def shipped_pictures() -> "Iterator[NDArray[np.uint8]]":
    """Yield the color photographs that scikit-image ships."""
    from PIL import Image
    from skimage import data

    folder = Path(data.__file__).parent
    for path in sorted(folder.iterdir()):
        if path.name in {"astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"}:
            yield np.asarray(Image.open(path).convert("RGB"))


def validation_pictures(folder: Path, count: int) -> "Iterator[NDArray[np.uint8]]":
    """Yield pictures of the validation half, spread evenly over its sets."""
    from restoration.training.dataset import listed, read_picture
    from restoration.training.recipe import DataPlan

    named = listed(folder)["validation"]
    for name, path in named[:: max(1, len(named) // count)]:
        picture = read_picture(folder, name, path, DataPlan())
        if picture is not None:
            yield picture.rgb


def fitted(rgb: "NDArray[np.uint8]", side: int, multiple: int) -> "NDArray[np.uint8]":
    """Reduce (H, W, 3) to a longer side of `side`; both sides become multiples of `multiple`."""
    from PIL import Image

    scale = side / max(rgb.shape[:2])
    height, width = (max(multiple, round(n * scale / multiple) * multiple) for n in rgb.shape[:2])
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS))


def subject(options: argparse.Namespace) -> "tuple[str, str, int, Mapping[str, Tensor]]":
    """Return title, architecture, working side and weights (floats as float32)."""
    from restoration.generators.models import load_weights, model_card
    from restoration.training.recipe import read_recipe
    from restoration.training.run_folder import ChromaRunFolder

    if options.run is None:
        card = model_card(options.model)
        return f"model {card.name} as shipped", card.architecture, card.working_side, load_weights(card)
    from safetensors.torch import load_file

    run = ChromaRunFolder(options.run)
    plan = read_recipe(run.path / "recipe.toml")
    title = f"run {options.run.name}, fp32"
    return title, plan.model.architecture, plan.working_side, load_file(run.best)


def predicted(network: "nn.Module", luma: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Luma (H, W) in [0, 1] -> chroma (2, H, W)."""
    import torch

    with torch.inference_mode():
        return network(torch.from_numpy(luma)[None, None]).float().numpy()[0]


def rows(options: argparse.Namespace) -> tuple[str, int, list[Row]]:
    """Measure every storage format; return title, number of pictures and the table."""
    from safetensors.torch import load, save

    from restoration.arrays.lab import lab, shown_rgb
    from restoration.generators.models import Storage
    from restoration.generators.models.torch_weights import pack_weights, unpack_weights
    from restoration.generators.networks.architectures import ARCHITECTURES
    from restoration.training.dataset import LUMA, chroma_of
    from restoration.training.metrics import ciede2000

    title, name, side, state = subject(options)
    architecture = ARCHITECTURES[name]
    files = {storage: save(pack_weights(state, storage)) for storage in Storage}
    networks = {}
    for key, weights in {"original": state, **{s: unpack_weights(load(f)) for s, f in files.items()}}.items():
        networks[key] = architecture.build().eval()
        networks[key].load_state_dict(weights)
    source = (
        shipped_pictures() if options.data is None else validation_pictures(options.data, options.pictures)
    )
    distances: dict[str, list[NDArray[np.float32]]] = {storage: [] for storage in Storage}
    differences: dict[str, list[NDArray[np.float64]]] = {storage: [] for storage in Storage}
    errors: dict[str, list[float]] = {key: [] for key in networks}
    count = 0
    for picture in source:
        count += 1
        rgb = fitted(picture, side, architecture.multiple)
        luma, truth = rgb.astype(np.float32) @ LUMA / np.float32(255), chroma_of(rgb)
        original = predicted(networks["original"], luma)
        errors["original"].append(float(np.abs(original - truth).mean()))
        before = lab(shown_rgb(luma, original))
        for storage in Storage:
            chroma = predicted(networks[storage], luma)
            distances[storage].append(np.abs(chroma - original).ravel())
            differences[storage].append(ciede2000(lab(shown_rgb(luma, chroma)), before).ravel())
            errors[storage].append(float(np.abs(chroma - truth).mean()))
    table = []
    for storage in Storage:
        every, seen = np.concatenate(distances[storage]), np.concatenate(differences[storage])
        table.append(
            Row(
                storage=storage.value,
                bytes=len(files[storage]),
                mean=float(every.mean()),
                p99=float(np.quantile(every, 0.99)),
                largest=float(every.max()),
                ciede2000=float(seen.mean()),
                ciede2000_p99=float(np.quantile(seen, 0.99)),
                chroma_l1_change=float(np.mean(errors[storage]) - np.mean(errors["original"])),
            )
        )
    return f"{title}; chroma error against the truth {np.mean(errors['original']):.5f}", count, table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", default="archive-1")
    which.add_argument("--run", type=Path, help="a training run; its best.safetensors is fp32")
    parser.add_argument("--data", type=Path, help="a folder with a manifest.csv")
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    title, count, table = rows(options)
    if options.json:
        print(json.dumps({"subject": title, "pictures": count, "rows": [asdict(row) for row in table]}))
        return
    print(f"{title}; {count} pictures")
    print("stored       MB   mean |d|    p99 |d|    max |d|  CIEDE2000    its p99  change of L1")
    for row in table:
        print(
            f"{row.storage:<6} {row.bytes / 1e6:>8.2f} {row.mean:>10.6f} {row.p99:>10.6f} "
            f"{row.largest:>10.6f} {row.ciede2000:>10.4f} {row.ciede2000_p99:>10.4f} "
            f"{row.chroma_l1_change:>+13.6f}"
        )


if __name__ == "__main__":
    main()
