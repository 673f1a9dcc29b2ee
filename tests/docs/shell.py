"""A person at a terminal: types lines one after the other, looks at exit codes, and presses Ctrl-C."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

_PATIENCE = 240.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What a line ended with and said."""

    code: int
    said: str


@dataclass(slots=True)
class Terminal:
    """A bash of its own for each line, with the folder and the variables that the line before left."""

    folder: Path
    variables: dict[str, str]
    scratch: Path
    _running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def run(self, line: str) -> Ran:
        """Run a line to its end."""
        after, log = self.scratch / "variables", self.scratch / "log"
        script = f"{line}\ncode=$?; env -0 > {after}; pwd > {after}.pwd; exit $code"
        with log.open("wb") as said:
            done = subprocess.run(
                ["bash", "-c", script],
                cwd=self.folder,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=_PATIENCE,
                check=False,
            )
        left = (pair.partition("=") for pair in after.read_text().split("\0") if pair)
        self.variables = {name: value for name, _, value in left}
        self.folder = Path(Path(f"{after}.pwd").read_text().strip())
        return Ran(done.returncode, log.read_text(errors="replace"))

    def run_until_ctrl_c(self, line: str, seconds: float) -> Ran:
        """Let a line run for some seconds, see that it still runs, then press Ctrl-C."""
        log = self.scratch / "log"
        with log.open("wb") as said:
            process = self._begun(line, said)
        time.sleep(seconds)
        if process.poll() is not None:
            return Ran(process.returncode, f"ended by itself: {log.read_text(errors='replace')}")
        return Ran(_interrupted(process), log.read_text(errors="replace"))

    def keep_running(self, line: str) -> None:
        """Let a line run in a terminal of its own, until `close`."""
        with (self.scratch / "log-of-another-terminal").open("wb") as said:
            self._running.append(self._begun(line, said))

    def close(self) -> list[int]:
        """Press Ctrl-C in the other terminals; return what their lines ended with."""
        codes = [_interrupted(process) for process in self._running]
        self._running.clear()
        return codes

    def _begun(self, line: str, said: object) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            ["bash", "-c", f"exec {line}"],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=said,  # type: ignore[arg-type]
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _interrupted(process: "subprocess.Popen[bytes]") -> int:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    try:
        return process.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return -1
