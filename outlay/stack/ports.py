"""The ports of a home: chosen at its first start, remembered, and never those of another home of this user."""

from __future__ import annotations

import errno
import json
import socket
from collections.abc import Iterable
from pathlib import Path

from outlay.stack import files

PREFERRED = {
    "postgres": 5432,
    "kafka": 9092,
    "kafka_controller": 9093,
    "registry": 8081,
    "spark": 15002,
    "live": 9464,
    "code": 4266,
    "webserver": 3000,
    "app": 8501,
}


def choose(folder: Path, cache: Path, *, keep: Iterable[str] = ()) -> dict[str, int]:
    """Remember a free port of 127.0.0.1 for each server in ``state.json``, and return them.

    Those of `keep`, whose servers run, stay. The others stay where nobody listens, or else take the usual one, or else
    any free one. Homes know of each other through `cache`: two that start at once would find the same port free.
    """
    path = folder / "state.json"
    with files.locked(cache / "homes.lock"):
        elsewhere = _of_other_homes(folder, cache / "homes.json")
        state = files.read_json(path)
        ports = dict(state.get("ports", {}))
        for name, usual in PREFERRED.items():
            if name in keep and name in ports:
                continue
            taken = elsewhere | {port for other, port in ports.items() if other != name}
            wanted = [port for port in (ports.get(name), usual) if port and port not in taken]
            ports[name] = next(filter(is_free, wanted), None) or _any_free(taken)
        if ports != state.get("ports"):
            files.write_json(path, state | {"ports": ports}, mode=0o644)
    return ports


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
        return True


def _any_free(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in taken:
            return port


def _of_other_homes(folder: Path, register: Path) -> set[int]:
    """Ports that other homes remember; adds `folder` to the register of homes, and drops those that are gone."""
    homes = {str(folder), *(home for home in files.read_json(register).get("homes", []) if _remembers(Path(home)))}
    files.write_json(register, {"homes": sorted(homes)})
    return {port for home in homes - {str(folder)} for port in _remembers(Path(home)).values()}


def _remembers(home: Path) -> dict[str, int]:
    """The ports in another home's state; none when it is gone, or closed to us."""
    try:
        return json.loads((home / "state.json").read_text()).get("ports", {})
    except (OSError, json.JSONDecodeError):
        return {}
