"""The home folder: its parts, and the passwords it keeps."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import get_args

from outlay.settings import Role, Settings
from outlay.stack import files
from outlay.stack.errors import StackError

PASSWORDS = (*get_args(Role), "api_token", "spark_token", "auth_key")
_LONGEST_SOCKET = 100  # of 107 bytes; supervisord adds its pid while it makes the socket


def make(home: Path) -> None:
    """Create the home folder. Its parts are closed to other users; as root it can be passed through, as the server of
    PostgreSQL runs as another user and has a folder of its own inside."""
    home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    for part in ("run", "logs", "tmp", "lake", "dagster", "quality"):
        (home / part).mkdir(mode=0o700, exist_ok=True)


def lock_file(home: Path) -> Path:
    return home / "run" / "up.lock"


def log_file(home: Path, service: str) -> Path:
    return home / "logs" / f"{service}.log"


def check_results(home: Path) -> Path:
    """Where what the checks found is kept, by suite."""
    return home / "quality" / "results"


def data_docs(home: Path) -> Path:
    """Where Great Expectations' pages of it are."""
    return home / "quality" / "docs"


def control_socket(home: Path) -> Path:
    """The supervisor's socket: in the home folder, or in a private one under /tmp where that path would be too long."""
    path = home / "run" / "supervisor.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET:
        return path
    return Path("/tmp") / f"outlay-{sha256(os.fsencode(home)).hexdigest()[:16]}" / "supervisor.sock"  # noqa: S108


def make_socket_folder(path: Path) -> None:
    """Make the folder of `control_socket`, closed to everybody else.

    Raises:
        StackError: another user made a folder of that name first.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    found = path.parent.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise StackError(f"{path.parent} is not private to this user: remove it, or set OUTLAY_HOME to a shorter path")


def remove_socket(folder: Path) -> None:
    """Remove what `control_socket` left, with its folder where that is under /tmp."""
    path = control_socket(folder)
    path.unlink(missing_ok=True)
    if folder not in path.parents and path.parent.exists():
        path.parent.rmdir()


def make_passwords(home: Path, given: Mapping[str, str] | None = None) -> None:
    """Add the passwords that ``secrets.json`` lacks; those `given` are taken instead of making one."""
    path = home / "secrets.json"
    known = files.read_json(path) | (given or {})
    made = {name: secrets.token_urlsafe(24) for name in PASSWORDS if name not in known}
    files.write_json(path, known | made)


def reload(here: Settings) -> Settings:
    """The same settings, with the ports and passwords as they are remembered now."""
    return Settings(**{name: getattr(here, name) for name in here.model_fields_set})
