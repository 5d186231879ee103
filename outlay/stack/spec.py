"""What a server is to the stack: how it is started, what it waits for, and how one sees that it serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from outlay.settings import Service


def _nothing() -> None: ...


@dataclass(frozen=True)
class ServiceSpec:
    """One server. It is external, and not ours to start, when it has no command line."""

    name: Service
    address: str
    """What people connect to: ``host:port`` or a URL; empty for a daemon that listens nowhere."""
    healthy: Callable[[], None]
    """Returns when the server serves; raises `NotReady` with the reason when it does not."""
    argv: tuple[str, ...] = ()
    port: int | None = None
    """Where its process listens; None for a daemon that listens nowhere."""
    env: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[Service, ...] = ()
    files: Mapping[Path, str] = field(default_factory=dict)
    """Configuration files and their text; a changed text restarts the server."""
    prepare: Callable[[], None] = _nothing
    """Makes the data folder, before `files` are written; does nothing the next time."""
    provision: Callable[[], str | None] = _nothing
    """Puts in what the others expect (roles, topics, schemas), once healthy; does nothing the next time. Returns what
    whoever starts it should be told of that."""
    stop_signal: str = "TERM"
    start_seconds: float = 180.0
    """How long a start may take on a busy machine before it counts as failed."""

    @property
    def external(self) -> bool:
        return not self.argv


def with_needs(specs: list[ServiceSpec], wanted: set[Service]) -> list[ServiceSpec]:
    """Those of `specs` that `wanted` names, and everything they need, in the order of `specs`."""
    by_name = {spec.name: spec for spec in specs}
    chosen: set[Service] = set()
    todo = list(wanted)
    while todo:
        name = todo.pop()
        if name not in chosen:
            chosen.add(name)
            todo.extend(by_name[name].needs)
    return [spec for spec in specs if spec.name in chosen]
