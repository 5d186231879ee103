"""What must be true of the machine before anything is started."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from outlay.stack import java
from outlay.stack.errors import StackError

FREE_BYTES = 2 * 1024**3
ON_JAVA = {"kafka", "registry", "spark"}


def check(folder: Path, services: Iterable[str]) -> None:
    """Raises:
    StackError: the Python, the Java or the free disk is not enough for `services`.
    """
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise StackError(f"expected Python 3.11 to 3.13, got {sys.version.split()[0]}: make another environment")
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < FREE_BYTES:
        raise StackError(
            f"{existing} has {free / 1e9:.1f} GB left, expected at least {FREE_BYTES / 1e9:.1f}: free some, or set "
            "OUTLAY_HOME to a folder on another disk"
        )
    if ON_JAVA & set(services):
        java.check()
