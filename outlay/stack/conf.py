"""The supervisor's configuration: a pure function from the servers to the text that supervisord reads."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
import shlex
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

from outlay.settings import PROJECT
from outlay.stack import home
from outlay.stack.errors import StackError
from outlay.stack.spec import ServiceSpec

MARK = "OUTLAY_STACK"
"""Environment variable of every process of a stack: its home. By it, those of a killed supervisor are found."""

LOG_BYTES = "10MB"
LOG_BACKUPS = 3
# The wait before the next try grows by a second each time, so this is for ever: a server that cannot start for hours,
# for want of disk or of the server it needs, comes back when it can.
RETRIES = 100_000
STOP_SECONDS = 25

_INLINE_COMMENT = re.compile(r"\s[;#]")


def supervisord_conf(folder: Path, specs: Iterable[ServiceSpec]) -> str:
    """Text of ``supervisord.conf`` for the servers of `specs` that are ours to start.

    Raises:
        StackError: a path or value holds characters that the file's format cannot carry.
    """
    socket = home.control_socket(folder)
    sections = {
        "unix_http_server": {"file": str(socket), "chmod": "0700"},
        "supervisord": {
            "logfile": str(home.log_file(folder, "supervisord")),
            "logfile_maxbytes": LOG_BYTES,
            "logfile_backups": str(LOG_BACKUPS),
            "pidfile": str(folder / "run" / "supervisord.pid"),
            "childlogdir": str(folder / "logs"),
            "directory": str(PROJECT),
            "umask": "077",
        }
        | ({"user": getpass.getuser()} if os.geteuid() == 0 else {}),
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface",
        },
    }
    everything = list(specs)
    addresses = {spec.name: spec.address for spec in everything}
    for position, spec in enumerate(everything, start=1):
        if not spec.external:
            # They are stopped one after the other, the last first: nobody waits for a database that is gone.
            order = {"priority": str(position)}
            sections[f"program:{spec.name}"] = _program(folder, spec, addresses if spec.needs else {}) | order
    return "\n".join(_section(name, values) for name, values in sections.items())


def _program(folder: Path, spec: ServiceSpec, addresses: Mapping[str, str]) -> dict[str, str]:
    """`addresses` are those of the servers it reads at its start: where one moves, it must start again."""
    written = json.dumps([{str(path): text for path, text in sorted(spec.files.items())}, addresses])
    env = dict(spec.env) | {
        MARK: str(folder),
        "OUTLAY_SERVICE": spec.name,
        "OUTLAY_CONFIGURATION": hashlib.sha256(written.encode()).hexdigest()[:16],
    }
    return {
        "command": shlex.join(spec.argv),
        "environment": _environment(env),
        "directory": str(PROJECT),
        "autostart": "false",
        "autorestart": "true",
        "startsecs": "2",
        "startretries": str(RETRIES),
        "stopsignal": spec.stop_signal,
        "stopwaitsecs": str(STOP_SECONDS),
        # A fast shutdown of PostgreSQL is SIGINT to the postmaster; to its children the same signal cancels a query.
        "stopasgroup": "false" if signal.Signals[f"SIG{spec.stop_signal}"] == signal.SIGINT else "true",
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": str(home.log_file(folder, spec.name)),
        "stdout_logfile_maxbytes": LOG_BYTES,
        "stdout_logfile_backups": str(LOG_BACKUPS),
    }


def _environment(values: Mapping[str, str]) -> str:
    return ",".join(f"{name}={_quoted(name, value)}" for name, value in sorted(values.items()))


def _quoted(name: str, value: str) -> str:
    """supervisord knows no escapes, and takes quotes of both kinds away from both ends."""
    quote = "'" if '"' in value else '"'
    if quote in value or value != value.strip("'\"") or "\n" in value:
        raise StackError(
            f"{name} has both kinds of quotes, one at an end, or a line break, which supervisord cannot pass on"
        )
    return f"{quote}{value}{quote}"


def _section(name: str, values: Mapping[str, str]) -> str:
    for key, value in values.items():
        if _INLINE_COMMENT.search(value) or "\n" in value:
            raise StackError(
                f"supervisord cannot read ` ;`, ` #` or a line break, found in the {key} of {name}: {value!r}; "
                "use folders without them"
            )
    lines = [f"{key} = {value.replace('%', '%%')}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines, ""])
