"""The Java that Kafka, the registry and Spark run on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from outlay.stack.errors import StackError

OLDEST = 17


def java() -> str:
    """The command to run: that of JAVA_HOME, or the one on PATH."""
    if folder := os.environ.get("JAVA_HOME"):
        return str(Path(folder) / "bin" / "java")
    return shutil.which("java") or "java"


def options(home: Path) -> tuple[str, ...]:
    """What every Java of a home is started with: temporary files of its own, and an end when memory is out."""
    return (f"-Djava.io.tmpdir={home / 'tmp'}", "-Djava.awt.headless=true", "-XX:+ExitOnOutOfMemoryError")


def check() -> None:
    """Raises:
    StackError: there is no Java, or an older one than the servers run on.
    """
    ask = f"install a Java {OLDEST} or newer (Debian and Ubuntu: apt install openjdk-17-jre-headless) or set JAVA_HOME"
    try:
        said = subprocess.run([java(), "-version"], capture_output=True, text=True, check=True, timeout=30).stderr
    except FileNotFoundError:
        raise StackError(f"no Java found at `{java()}`: {ask}") from None
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(f"`{java()} -version` failed ({error}): {ask}") from error
    found = re.search(r'version "(\d+)', said)
    if not found or int(found[1]) < OLDEST:
        raise StackError(f"expected Java {OLDEST} or newer, got {said.splitlines()[0]}: {ask}")
