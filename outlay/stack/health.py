"""Whether a server serves, and whether it is ours that does."""

from __future__ import annotations

from outlay.stack import processes
from outlay.stack.errors import NotReady
from outlay.stack.spec import ServiceSpec


def check(spec: ServiceSpec, pid: int | None) -> None:
    """Returns when the server serves; `pid` is that of the process that was started for it.

    Raises:
        NotReady: it does not serve, or another program answers in its place.
    """
    spec.healthy()
    if pid is not None and spec.port is not None and not processes.listens(pid, spec.port):
        raise NotReady(f"another program listens on its port {spec.port}: run `outlay up` again for another port")
