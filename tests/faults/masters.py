"""Small scans by the thousand, each of its own content, and files that are none."""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from skimage import data

BAD = ("already-color", "truncated-image", "empty-file", "not-an-image")
"""How the bad ones are to end; one file in fifty, by turns."""

_EVERY = 50


def expected(number: int) -> str:
    """Return how a file is to end: `done`, or the code that it is quarantined with."""
    return BAD[number // _EVERY % len(BAD)] if number % _EVERY == _EVERY - 1 else "done"


def name_of(number: int) -> str:
    """Return where a file is dropped, below the inbox; folders hold some hundred."""
    return f"box-{number // 200:03d}/{number:05d}{'.png' if number % 3 == 1 else '.tif'}"


def write(number: int, path: Path) -> None:
    """Write a file; every number gives other bytes."""
    side = 48 + number % 40
    rows, columns = number * 7 % 400, number * 13 % 400
    gray = np.ascontiguousarray(data.camera()[rows : rows + side, columns : columns + 64])
    gray[0, :16] = [(number >> bit & 1) * 255 for bit in range(16)]
    kind = expected(number)
    if kind == "already-color":
        color = np.ascontiguousarray(data.astronaut()[rows % 200 : rows % 200 + 64, 100:164])
        color[0, :16, 0] = gray[0, :16]
        Image.fromarray(color).save(path, format="PNG")
    elif kind == "truncated-image":
        tifffile.imwrite(path, gray)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 2 // 3])
    elif kind == "empty-file":
        path.touch()
    elif kind == "not-an-image":
        path.write_text(f"a list, number {number}\n" * 9)
    elif path.suffix == ".png" or path.name.endswith(".png.part"):
        Image.fromarray(gray).save(path, format="PNG")
    else:
        tifffile.imwrite(path, gray.astype(np.uint16) * 257 if number % 2 else gray)


def drop(numbers: Iterator[int] | range, inbox: Path, chance: random.Random) -> None:
    """Drop files: written in place, moved in whole, or renamed from `.part`."""
    aside = inbox / ".aside"
    aside.mkdir(exist_ok=True)
    for number in numbers:
        target = inbox / name_of(number)
        target.parent.mkdir(exist_ok=True)
        way = chance.choice(("copy", "move", "rename"))
        made = aside / f"{number}{target.suffix}"
        write(number, made)
        if way == "copy":
            shutil.copyfile(made, target)
            made.unlink()
        elif way == "move":
            os.replace(made, target)  # noqa: PTH105
        else:
            part = target.with_name(target.name + ".part")
            shutil.copyfile(made, part)
            part.rename(target)
            made.unlink()
