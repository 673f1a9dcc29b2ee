"""Results of files that failed in the past, by `saek restore` and through a station, compared with a table.

    python benchmarks/cases.py --cases DIR [--only NAME]... [--route restore|station] [--json]

DIR holds `cases.csv` (input, right value, why) and `inputs/`. Each input is given to the commands as a user
would give it: by a relative path, and dropped into the inbox of a station. The right values were computed
without our code: masters and derivatives are read by tifffile and Pillow, profiles by lcms, packets by lxml.

Ends with 1 if one case is not right.
"""

import argparse
import csv
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from lxml import etree
from PIL import Image
from processes import resident_bytes, tree

SAEK = [sys.executable, "-m", "worker"]
SETTINGS = 'settle_seconds = 0.3\nmin_free_bytes = 1_000_000\nlog_level = "WARNING"\n'
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
NAMES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "saek": "urn:saek:xmp:1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
}
CAPTION, PHOTOGRAPHER, RIGHTS = "부산 국제시장 전경", "홍길동", "© 시립기록관"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one input by one route."""

    state: str
    """done, refused, failed, or the state on record."""
    problem: dict[str, str] = field(default_factory=dict)
    derivative: Path | None = None
    report: dict[str, list[str]] = field(default_factory=dict)
    """Metadata report: carried, replaced, dropped, noted."""
    peak_bytes: int = 0

    @property
    def told(self) -> str:
        """The whole report as one text."""
        return "\n".join(line for lines in self.report.values() for line in lines)

    @property
    def words(self) -> str:
        """Reason and remedy."""
        return f"{self.problem.get('reason', '')}; {self.problem.get('remedy', '')}"


class Wrong(Exception):
    """The result is not the expected one."""


Check = Callable[[Path, Outcome], None]


def require(condition: object, what: str) -> None:
    """Raise Wrong unless the condition holds."""
    if not condition:
        raise Wrong(what)


# Masters and derivatives as other libraries read them


def master_gray(path: Path, page: int = 0) -> np.ndarray:
    """Return the gray integers (H, W) of a master: its first channel, or the luma of three."""
    if path.suffix in {".tif", ".tiff"}:
        with tifffile.TiffFile(path) as tiff:
            samples, kind = tiff.pages[page].asarray(), tiff.pages[page].photometric
        if samples.ndim == 2:
            return samples
        return samples[..., 0] if kind in {0, 1, 6} else luma(samples[..., :3])
    if path.read_bytes()[24:26] == b"\x10\x00":
        with Image.open(path) as image:
            return np.asarray(image).astype(np.uint16)
    with Image.open(path, formats=["JPEG", "PNG"]) as image:
        return np.asarray(image.convert("L"))


def luma(rgb: np.ndarray) -> np.ndarray:
    """Return the luma (H, W), BT.601 weights, halves up, in integers."""
    r, g, b = (rgb[..., i].astype(np.int64) for i in range(3))
    return ((299 * r + 587 * g + 114 * b + 500) // 1000).astype(rgb.dtype)


def derivative_samples(path: Path) -> np.ndarray:
    """Return RGB (H, W, 3), uint8 or uint16."""
    if path.suffix == ".tif":
        return tifffile.imread(path)[..., :3]
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def profile_of(path: Path) -> bytes | None:
    """Return the ICC profile of a TIFF, PNG or JPEG."""
    with Image.open(path) as image:
        return image.info.get("icc_profile")


def lightness(profile: bytes, bands: int) -> np.ndarray:
    """Return L* of 256 neutral values from black to white, as lcms sees them through a profile."""
    import pyvips

    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], bands, axis=2)
    kind = "b-w" if bands == 1 else "srgb"
    image = pyvips.Image.new_from_memory(ramp.tobytes(), 256, 1, bands, "uchar").copy(interpretation=kind)
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image.icc_import(embedded=True, pcs="lab", intent="relative").numpy()[0, :, 0]


def packet_of(path: Path) -> bytes:
    """Return the XMP packet of a file, found by walking the container."""
    data = path.read_bytes()
    if path.suffix == ".tif":
        with tifffile.TiffFile(path) as tiff:
            return bytes(tiff.pages[0].tags[700].value)
    if path.suffix == ".png":
        at = 8
        while at < len(data):
            size, kind = struct.unpack(">I4s", data[at : at + 8])
            body = data[at + 8 : at + 8 + size]
            if kind == b"iTXt" and body.startswith(b"XML:com.adobe.xmp\0"):
                return body.split(b"\0", 5)[5]
            at += 12 + size
        return b""
    at = 2
    while data[at] == 0xFF and data[at + 1] != 0xDA:
        size = struct.unpack(">H", data[at + 2 : at + 4])[0]
        body = data[at + 4 : at + 2 + size]
        if data[at + 1] == 0xE1 and body.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
            return body[29:]
        at += 2 + size
    return b""


def xmp(path: Path) -> etree._Element:
    """Return the packet, parsed strictly, after checking its disclosure."""
    packet = packet_of(path)
    require(packet, "there is no XMP packet")
    try:
        root = etree.fromstring(packet.strip())
    except etree.XMLSyntaxError as error:
        raise Wrong(f"the XMP packet cannot be parsed: {error}") from error
    kinds = root.findall(".//Iptc4xmpExt:DigitalSourceType", NAMES)
    require([one.text for one in kinds] == [SOURCE_TYPE], "the source type is not disclosed once")
    require(len(root.findall(".//saek:masterSha256", NAMES)) == 1, "the master's digest is not there once")
    return root


def texts(root: etree._Element, name: str) -> list[str]:
    """Return the texts of a property, of each item of a list."""
    found = []
    for node in root.iterfind(f".//{name}", NAMES):
        items = node.findall(".//rdf:li", NAMES)
        found.extend(item.text or "" for item in items) if items else found.append(node.text or "")
    return found


# Checks


def done(_: Path, made: Outcome) -> None:
    """Require that it was restored."""
    require(made.state == "done", f"{made.state}: {made.words}")
    require(made.derivative is not None and made.derivative.is_file(), "there is no derivative")


def exact(gray: Callable[[Path], np.ndarray] = master_gray) -> Check:
    """Require the luma of the master in every pixel."""

    def check(master: Path, made: Outcome) -> None:
        done(master, made)
        if made.derivative.suffix == ".jpg":
            return
        wanted, found = gray(master), luma(derivative_samples(made.derivative))
        require(wanted.shape == found.shape, f"it is {found.shape}, not {wanted.shape}")
        error = int(np.abs(wanted.astype(np.int64) - found).max())
        require(wanted.dtype == found.dtype and error == 0, f"its luma is {error} off")

    return check


def refused(*words: str, without: Sequence[str] = ()) -> Check:
    """Require a refusal whose reason and remedy match these regular expressions."""

    def check(_: Path, made: Outcome) -> None:
        require(made.state in {"refused", "quarantined"}, f"it is {made.state}")
        for word in words:
            require(re.search(word, made.words, re.IGNORECASE), f"{word!r} is not said: {made.words}")
        for word in (*without, r"\w+Error\b", "Exception", "Traceback", "not a known"):
            require(not re.search(word, made.words, re.IGNORECASE), f"{word!r} is said: {made.words}")

    return check


def told(*words: str) -> Check:
    """Require this text in the report."""

    def check(_: Path, made: Outcome) -> None:
        for word in words:
            said = re.search(word, made.told, re.IGNORECASE)
            require(said, f"the report does not say {word!r}: {made.told}")

    return check


def says(name: str, *wanted: str) -> Check:
    """Require these texts as values, or ends of values, of the property."""

    def check(_: Path, made: Outcome) -> None:
        found = texts(xmp(made.derivative), name)
        for text in wanted:
            require(any(one.endswith(text) for one in found), f"{name} says {found}, not {text!r}")

    return check


def exif_says(code: int, wanted: str) -> Check:
    """Require the text in UTF-8 in the EXIF or TIFF tag."""

    def check(_: Path, made: Outcome) -> None:
        path = made.derivative
        if path.suffix == ".tif":
            with tifffile.TiffFile(path) as tiff:
                tag = tiff.pages[0].tags[code]
                tiff.filehandle.seek(tag.valueoffset)
                raw = tiff.filehandle.read(tag.valuebytecount)
        else:
            with Image.open(path) as image:
                raw = image.info["exif"]
        require(wanted.encode() in raw, f"tag {code} does not hold {wanted!r} in UTF-8")

    return check


def same_look(master: Path, made: Outcome) -> None:
    """Require the L* of the master in neutral pixels, within 0.5."""
    theirs = profile_of(master)
    ours = profile_of(made.derivative)
    require(ours, "the derivative has no profile")
    if theirs is None:  # a PNG's gAMA of 1.0: linear light
        y = np.arange(256) / 255
        wanted = np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * 24389 / 27)
    else:
        wanted = lightness(theirs, 1)
    off = float(np.abs(wanted - lightness(ours, 3)).max())
    require(off <= 0.5, f"neutral pixels look up to {off:.1f} L* different")


def opaque(_: Path, made: Outcome) -> None:
    """Require that no pixel is transparent."""
    with tifffile.TiffFile(made.derivative) as tiff:
        extra = tuple(int(one) for one in tiff.pages[0].extrasamples)
    require(extra in {(), (0,)}, f"it has extra samples {extra}")


def small(_: Path, made: Outcome) -> None:
    """Require a peak memory below 700 MB."""
    require(made.peak_bytes < 700e6, f"it took {made.peak_bytes / 1e6:,.0f} MB")


def title_with_marks(_: Path, made: Outcome) -> None:
    """Require the title unchanged and a numeric luma error."""
    root = xmp(made.derivative)
    require("Roll ##### frame 12" in texts(root, "dc:title"), f"the title is {texts(root, 'dc:title')}")
    for name in ("saek:lumaMaxError", "saek:lumaMeanError"):
        require(re.fullmatch(r"\d+(\.\d+)?", texts(root, name)[0]), f"{name} is {texts(root, name)}")


def either(*checks: Check) -> Check:
    """Require one of the checks."""

    def check(master: Path, made: Outcome) -> None:
        wrong = []
        for one in checks:
            try:
                return one(master, made)
            except Wrong as error:
                wrong.append(str(error))
        raise Wrong(" / ".join(wrong))

    return check


def tolerant_jpeg(path: Path) -> np.ndarray:
    """Return a JPEG (H, W) as read by a decoder that tolerates odd markers."""
    data = path.read_bytes()
    if not data.endswith(b"\xff\xd9"):
        data += b"\xff\xd9"
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("L"))


def raw_strip(path: Path) -> np.ndarray:
    """Return the 520 x 360 samples that begin at byte 8 of the file."""
    return np.frombuffer(path.read_bytes()[8 : 8 + 520 * 360], np.uint8).reshape(360, 520)


RAW = exact(raw_strip)
IN_ALL = (".tif", ".png", ".jpg")
COUNTED = {
    "w-ascii-nul-padded.tif": [exact()],
    "w-ascii-without-nul.tif": [exact()],
    "w-datetime-19.tif": [exact()],
    "w-next-ifd-past-end.tif": [RAW, told("directory|IFD|page")],
    "w-next-ifd-loop.tif": [RAW, told("directory|IFD|page")],
    "w-resunit-7.tif": [exact(), told("resolution")],
    "w-xres-long.tif": [exact()],
    "tags-unsorted.tif": [exact()],
    "bytecount-zero.tif": [RAW],
    "no-photometric.tif": [refused("header|photometric", "convert", without=["scan it again", "copy it"])],
    "rst-padding.jpg": [exact(tolerant_jpeg)],
    "sos-params-000.jpg": [exact(tolerant_jpeg)],
    "no-eoi.jpg": [exact(tolerant_jpeg), told("end")],
    "jpeg12.jpg": [refused("12", "convert", without=["scan it again"])],
    "height0-dnl.jpg": [refused("height|DNL", "convert", without=["scan it again"])],
    "thumb-first-flagged.tif": [either(exact(lambda p: master_gray(p, 1)), refused("preview"))],
    "recto-verso-half-res.tif": [refused("2 pictures")],
    "rgb16-ir-unspecified.tif": [exact(), opaque, told("channel|sample")],
    "gray8-selection-unspecified.tif": [exact(), opaque],
    "assoc.tif": [exact()],
    "zstd-associated.tif": [exact()],
    "ycbcr444-full.tif": [exact()],
    "bigtiff-red-green-blue.tif": [refused("color")],
    "desc-utf8.tif": [
        done,
        says("dc:description", CAPTION),
        says("dc:creator", PHOTOGRAPHER),
        says("dc:rights", RIGHTS),
        exif_says(270, CAPTION),
        exif_says(315, PHOTOGRAPHER),
        exif_says(33432, RIGHTS),
    ],
    "exif-utf8.jpg": [
        done,
        says("dc:description", CAPTION),
        says("dc:creator", PHOTOGRAPHER),
        says("dc:rights", RIGHTS),
        exif_says(270, CAPTION),
        exif_says(315, PHOTOGRAPHER),
    ],
    "desc-cp949.tif": [
        done,
        says("dc:description", CAPTION),
        says("dc:creator", PHOTOGRAPHER),
        told("CP949"),
    ],
    "iptc-euckr-declared.tif": [done, says("dc:description", CAPTION), says("dc:creator", PHOTOGRAPHER)],
    "iptc-cp949-undeclared.tif": [
        done,
        says("dc:description", CAPTION),
        says("dc:creator", PHOTOGRAPHER),
        told("CP949"),
    ],
    "iptc-mm-long-swapped.tif": [
        done,
        either(says("dc:description", "caption"), says("dc:description", CAPTION), told("IPTC")),
    ],
    "app13-decoy-before-iptc.jpg": [
        exact(),
        says("dc:description", "The real caption"),
        says("dc:creator", "A. Photographer"),
    ],
    "exif-date.jpg": [exact(), says("exif:DateTimeOriginal", "1952-03-14T10:00:00")],
    "xmp-utf16.tif": [exact(), says("dc:creator", PHOTOGRAPHER), says("photoshop:DateCreated", "1952-03")],
    "ent.tif": [exact(), lambda _, made: xmp(made.derivative)],
    "hash.tif": [done, title_with_marks],
    "latin1.png": [exact(), says("dc:title", "Café München")],
    "gama10-16.png": [exact(), either(same_look, told("gamma|gAMA"))],
    "icc-gray-gamma10-16.tif": [exact(), same_look, told("profile")],
    "icc-dotgain20.tif": [exact(), same_look, told("profile")],
    "one-by-200000.tif": [either(exact(), refused("pixels")), small],
    "reader-gave-up.tif": [refused("compression")],
    "collision/photo.tif": [exact()],
    "collision/photo.tiff": [exact()],
    "future2300.tif": [exact()],
}
"""Expected result of each input, by name."""
FORMATS = {"desc-utf8.tif": IN_ALL, "hash.tif": (".tif", ".jpg"), "exif-utf8.jpg": IN_ALL}
"""Extensions that an input is restored to; TIFF if not named."""
STATION_SECONDS = 240.0
"""Seconds after which a station that is not idle is stopped; its results so far count."""


# Routes


def run(
    words: Sequence[str], folder: Path, peak: list[int] | None = None, most: float = 300.0
) -> subprocess.CompletedProcess[str]:
    """Run a command with a time limit; record the peak memory of all its processes."""
    process = subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    ended = threading.Event()

    def look() -> None:
        while peak is not None and not ended.wait(0.05):
            peak[0] = max(peak[0], sum(resident_bytes(pid) for pid in tree(process.pid)))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        out, err = process.communicate(timeout=most)
    except subprocess.TimeoutExpired:
        process.terminate()
        out, err = process.communicate()
    ended.set()
    watcher.join()
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def by_restore(name: str, folder: Path) -> list[Outcome]:
    """Restore one input by its relative path, to each format of its case."""
    outcomes = []
    for ending in FORMATS.get(name, (".tif",)):
        peak = [0]
        out = f"colored/{name}{ending}"
        ran = run([*SAEK, "restore", f"inputs/{name}", "-o", out, "--json"], folder, peak)
        if ran.returncode == 70 or "Traceback" in ran.stderr or not ran.stdout.startswith("{"):
            outcomes.append(Outcome("crashed", {"reason": ran.stderr[-500:]}))
            continue
        file = json.loads(ran.stdout)["files"][0]
        made = file["restoration"]
        outcomes.append(
            Outcome(
                file["state"],
                file["problem"] or {},
                folder / made["path"] if made else None,
                made["metadata"] if made else {},
                peak[0],
            )
        )
    return outcomes


def by_station(names: Sequence[str], folder: Path) -> dict[str, list[Outcome]]:
    """Drop all inputs into the inbox of one station and wait until it is idle."""
    home = folder / "station"
    (home / "inbox").mkdir(parents=True)
    for name in names:
        (home / "inbox" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / "inputs" / name, home / "inbox" / name)
    (home / "saek.toml").write_text(SETTINGS)
    ran = run([*SAEK, "--home", "station", "station", "--until-idle"], folder, most=STATION_SECONDS)
    if ran.returncode:
        print(f"the station exited with {ran.returncode}: {ran.stderr[-1000:]}", file=sys.stderr)
    return {name: [station_outcome(name, folder)] for name in names}


def station_outcome(name: str, folder: Path) -> Outcome:
    """Return the result of one file of the station."""
    ran = run([*SAEK, "--home", "station", "status", name, "--json"], folder)
    if not ran.stdout.startswith("{"):
        return Outcome("unknown", {"reason": ran.stderr[-500:]})
    story: dict[str, Any] = json.loads(ran.stdout)
    sighting = next(one for one in story["sightings"] if one["display"] == name)
    problem = sighting["problem"] or (story["scan"] or {}).get("problem") or {}
    made = story["derivatives"][-1] if story["derivatives"] else None
    path = folder / "station" / made["root"] / made["display"] if made else None
    return Outcome(sighting["state"], problem, path, made["facts"]["metadata"] if made else {})


def judged(name: str, outcomes: Sequence[Outcome], folder: Path) -> str:
    """Return "right", or the reason why not."""
    for outcome in outcomes:
        for check in COUNTED[name]:
            try:
                check(folder / "inputs" / name, outcome)
            except Wrong as wrong:
                kind = "" if outcome.derivative is None else f" ({outcome.derivative.suffix})"
                return f"{wrong}{kind}"
    return "right"


def main() -> int:
    """Run the cases, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=Path, required=True, metavar="DIR")
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--route", choices=["restore", "station"])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with (asked.cases / "cases.csv").open(newline="") as file:
        rows = [one for row in csv.DictReader(file) for one in inputs_of(row)]
    names = [name for name in rows if not asked.only or name in asked.only]
    unknown = set(names) - set(COUNTED)
    if unknown:
        parser.error(f"nothing is known of {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="saek-cases-") as place:
        folder = Path(place)
        shutil.copytree(asked.cases / "inputs", folder / "inputs", copy_function=shutil.copyfile)
        os.utime(folder / "inputs/future2300.tif", (10_413_792_000, 10_413_792_000))
        table = {name: {} for name in names}
        if asked.route != "station":
            for name in names:
                table[name]["restore"] = judged(name, by_restore(name, folder), folder)
        if asked.route != "restore":
            for name, outcomes in by_station(names, folder).items():
                table[name]["station"] = judged(name, outcomes, folder)
    if asked.json:
        print(json.dumps(table, ensure_ascii=False, indent=2))
    else:
        show(table)
    return int(any(verdict != "right" for row in table.values() for verdict in row.values()))


def inputs_of(row: dict[str, str]) -> list[str]:
    """Return the case names of a row of cases.csv."""
    return [re.sub(r" \(.*", "", part).strip() for part in row["input"].split(" + ")]


def show(table: dict[str, dict[str, str]]) -> None:
    """Print a line for each case."""
    width = max(map(len, table))
    for name, row in table.items():
        print(f"{name:{width}}  " + "  ".join(f"{route}: {verdict}" for route, verdict in row.items()))
    for route in next(iter(table.values())):
        right = sum(row[route] == "right" for row in table.values())
        print(f"{route}: {right} of {len(table)} right")


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    sys.exit(code)
