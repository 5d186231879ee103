"""Full builds of the stack's own warehouse, one after the other, for as long as something beside them is measured."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.live.measure import Failed


@contextmanager
def building() -> Iterator[list[float]]:
    """Yields how many seconds each build took that has ended; waits for the last at the end.

    Raises:
        Failed: a build failed.
    """
    took: list[float] = []
    enough, problem = threading.Event(), []

    def build() -> None:
        while not enough.is_set() and not problem:
            began = time.monotonic()
            command = [sys.executable, "-m", "outlay", "build", "--full"]
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                problem.append(done.stderr.strip())
            took.append(round(time.monotonic() - began, 1))

    beside = threading.Thread(target=build)
    beside.start()
    try:
        yield took
    finally:
        enough.set()
        beside.join()
    if problem:
        raise Failed(f"the build beside it failed: {problem[0]}")
