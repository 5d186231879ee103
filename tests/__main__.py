"""All tests, in two processes beside each other: those that need every server, and the others.

The others are those that share no servers, and after them those that need a few. `python -m tests [pytest's options]`.
What they say is printed when they have ended.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from typing import TextIO

import pytest

_ALONE = "apart or not (integration or app or chaos)"
_SMALL = f"small and not ({_ALONE})"
_WHOLE = f"not small and not ({_ALONE})"


def main() -> int:
    """The exit code of one that failed, or 0; one that had nothing to run has not failed, unless none had."""
    codes: list[int] = []
    with tempfile.TemporaryFile("w+") as said:
        print("beside these run the tests that need fewer servers; what they say follows at the end", flush=True)
        others = threading.Thread(target=_others, args=(said, codes))
        others.start()
        codes.append(subprocess.run(_pytest(_WHOLE), check=False).returncode)
        others.join()
        said.seek(0)
        print(f"\n{said.read()}", flush=True)
    ran = [code for code in codes if code != pytest.ExitCode.NO_TESTS_COLLECTED]
    return next((code for code in ran if code), 0) if ran else pytest.ExitCode.NO_TESTS_COLLECTED


def _others(said: TextIO, codes: list[int]) -> None:
    for chosen in (_ALONE, _SMALL):
        command = ["nice", *_pytest(chosen), "-p", "no:cacheprovider"]
        codes.append(subprocess.run(command, stdout=said, stderr=subprocess.STDOUT, check=False).returncode)


def _pytest(chosen: str) -> list[str]:
    return [sys.executable, "-m", "pytest", *sys.argv[1:], "-m", chosen]


if __name__ == "__main__":
    sys.exit(main())
