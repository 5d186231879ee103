"""All tests, in two processes beside each other: those that need every server, and the others.

The others are those that share no servers, and after them those that need a few. `python -m tests [pytest's options]`.
What they say is printed when they have ended, and below it everything that failed, in whichever of them it was.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO
from xml.etree import ElementTree

import pytest

_ALONE = "apart or not (integration or app or chaos)"
_SMALL = f"small and not ({_ALONE})"
_WHOLE = f"not small and not ({_ALONE})"

_LAST = 15
"""Lines of a failure that the list at the end shows."""


def main() -> int:
    """The exit code of one that failed, or 0; one that had nothing to run has not failed, unless none had."""
    codes: dict[str, int] = {}
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryDirectory() as folder:
        reports = Path(folder)
        print("beside these run the tests that need fewer servers; what they say follows at the end", flush=True)
        others = threading.Thread(target=_others, args=(said, codes, reports))
        others.start()
        codes["whole"] = subprocess.run(_pytest(_WHOLE, reports / "whole.xml"), check=False).returncode
        others.join()
        said.seek(0)
        print(f"\n{said.read()}", flush=True)
        for line in _failures(reports):
            print(line, flush=True)
    ran = {name: code for name, code in codes.items() if code != pytest.ExitCode.NO_TESTS_COLLECTED}
    for name, code in ran.items():
        print(f"{name}: {'passed' if code == 0 else f'failed with exit code {code}'}", flush=True)
    return next((code for code in ran.values() if code), 0) if ran else pytest.ExitCode.NO_TESTS_COLLECTED


def _others(said: TextIO, codes: dict[str, int], reports: Path) -> None:
    for name, chosen in (("alone", _ALONE), ("small", _SMALL)):
        command = ["nice", *_pytest(chosen, reports / f"{name}.xml"), "-p", "no:cacheprovider"]
        codes[name] = subprocess.run(command, stdout=said, stderr=subprocess.STDOUT, check=False).returncode


def _pytest(chosen: str, report: Path) -> list[str]:
    return [sys.executable, "-m", "pytest", *sys.argv[1:], "-m", chosen, f"--junitxml={report}"]


def _failures(reports: Path) -> Iterator[str]:
    """What failed, each with the end of what pytest said of it."""
    for report in sorted(reports.glob("*.xml")):
        for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 -- pytest wrote it
            for failed in (*case.iter("failure"), *case.iter("error")):
                yield f"\n{failed.tag.upper()} ({report.stem}) {case.get('classname')}::{case.get('name')}"
                yield from (failed.text or failed.get("message") or "").splitlines()[-_LAST:]


if __name__ == "__main__":
    sys.exit(main())
