"""Process trees, memory and CPU time from /proc."""

import os
from pathlib import Path


def tree(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [deeper for child in task.read_text().split() for deeper in tree(int(child))]
        except OSError:
            continue
    return found


def command(pid: int) -> str:
    """Return the command line of a process, "" if it has exited."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def proportional_bytes(pid: int) -> int:
    """Return the proportional set size, in which shared memory is divided; 0 if the process has exited."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # it has ended
    return 0


def resident_bytes(pid: int) -> int:
    """Return the resident set size, 0 if the process has exited."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def processor_seconds(pid: int) -> float:
    """Return the CPU time of a running process, threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
