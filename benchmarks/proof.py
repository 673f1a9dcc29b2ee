"""Cost of the independent verification: CPU seconds of its two parts and of the whole restoration.

    python benchmarks/proof.py [--megapixels 12 100] [--bits 8 16] [--format tiff]

whole      a restoration without the network, in this process and in the one that reads first
second     the second decoder reads the master beside libvips, every sample is compared, luminance digested
read-back  the second decoder reads the finished derivative, two kinds of luma are computed and compared
share      both over what is left of the whole without them

Processor seconds over all threads, the least of some runs: they hardly depend on what else the machine does.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from processes import tree
from restore import make_master, model_and_recipe

from restoration import Compute, Input, Output, OutputFormat, pipeline, restore
from restoration.derivatives import verification
from restoration.masters import second_decoder
from restoration.masters.decoder_agreement import DecoderComparison
from restoration.masters.sandbox import identify
from restoration.masters.strips import Master


def processor_seconds() -> float:
    """Return the CPU seconds of this process and its children."""
    children = (pid for pid in tree(os.getpid()) if pid != os.getpid())
    ticks = 0
    for pid in children:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(words[11]) + int(words[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def least(work: Callable[[], object], runs: int) -> float:
    """Return the CPU seconds of the fastest run."""
    spent = []
    for _ in range(runs):
        began = processor_seconds()
        work()
        spent.append(processor_seconds() - began)
    return min(spent)


def line(folder: Path, megapixels: float, bits: int, fmt: str, runs: int) -> str:
    """Measure one master and return a line of the table."""
    master, out = folder / "master.tif", folder / f"out.{fmt}"
    make_master(master, megapixels, bits)
    loaded, recipe = model_and_recipe("pixels", "fast", pyramid=False, output=OutputFormat(fmt))
    facts = identify(master)
    read_back: list[float] = []

    def timed(name: str) -> None:
        verify = getattr(verification, name)

        def measured(*words: object, **facts: object) -> object:
            began = time.process_time()
            found = verify(*words, **facts)
            read_back.append(time.process_time() - began)
            return found

        setattr(pipeline.verification, name, measured)

    def overview(*, both: bool) -> None:
        other = second_decoder.read_rows(master, facts) if both else None
        comparison = DecoderComparison(master, facts, folder, other) if both else None
        Master(master, facts, folder).overview(1536, comparison=comparison)
        if comparison:
            comparison.finish()

    timed("verify_lossless")
    timed("measure_lossy")
    whole = least(lambda: restore(Input(master), recipe, Output(out), Compute(model=loaded)), runs)
    second = least(lambda: overview(both=True), runs) - least(lambda: overview(both=False), runs)
    back = min(read_back)
    out.unlink()
    share = (second + back) / (whole - second - back)
    return f"{megapixels:>6g} MP {bits:>2} b {whole:>8.2f} {second:>8.2f} {back:>10.2f} {share:>8.0%}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megapixels", type=float, nargs="+", default=[12, 100])
    parser.add_argument("--bits", type=int, nargs="+", default=[8, 16], choices=[8, 16])
    parser.add_argument("--format", default="tiff", choices=[one.value for one in OutputFormat])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="folder of the temporary pictures")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}; processor seconds; {options.format}")
    print("        master    whole   second  read-back    share")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for megapixels in options.megapixels:
            for bits in options.bits:
                print(line(Path(folder), megapixels, bits, options.format, options.runs), flush=True)


if __name__ == "__main__":
    main()
