"""The user that PostgreSQL runs as when `outlay` runs as root, which PostgreSQL refuses to."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from outlay.stack.errors import StackError

ACCOUNT = "outlay"
# Bits of CapBnd in /proc/self/status: either lets a process pass through folders that are closed to it.
_CAPABILITIES = {"dac_read_search": 2, "dac_override": 1}


def ensure_account() -> None:
    """Make the system user, as root, when it is missing.

    Raises:
        StackError: the user could not be made.
    """
    if os.geteuid() != 0 or _exists():
        return
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip()
        raise StackError(
            f"PostgreSQL does not run as root, and its user could not be made by `{' '.join(command)}`: {reason}; "
            "make it, or run outlay as another user"
        ) from error


def as_account(paths: Iterable[Path]) -> list[str]:
    """What stands before a command so that it runs as the account and reaches `paths`; nothing unless root.

    Paths below a folder closed to other users (such as /root) are reached by one capability of that process, so that
    nobody's folders have to be opened.

    Raises:
        StackError: the system cannot do that.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StackError(
            "PostgreSQL does not run as root and `setpriv` is missing: install util-linux or run outlay as another user"
        )
    drop = [setpriv, f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--init-groups", "--no-new-privs"]
    closed = next((path for path in paths if not _open_to_all(path)), None)
    if closed is None:
        return [*drop, "--"]
    capability = _capability()
    if capability is None:
        raise StackError(
            f"the user {ACCOUNT}, as whom PostgreSQL runs, cannot reach {closed}: set OUTLAY_HOME to a folder below "
            "one that everybody can pass through, or run outlay as another user"
        )
    return [*drop, f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}", "--"]


def _open_to_all(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)


@cache
def _capability() -> str | None:
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    allowed = int(next(line for line in status.read_text().splitlines() if line.startswith("CapBnd")).split()[1], 16)
    return next((name for name, bit in _CAPABILITIES.items() if allowed >> bit & 1), None)


def _exists() -> bool:
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        return False
    return True
