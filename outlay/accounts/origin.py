"""Where a request came from, as sessions and the audit log keep it."""

from __future__ import annotations

from dataclasses import dataclass

_LONGEST = 300


@dataclass(frozen=True)
class Origin:
    """`address`: the network address, None of a command. `client`: the program, as it calls itself."""

    address: str | None
    client: str | None

    @staticmethod
    def of(address: str | None, client: str | None) -> Origin:
        """With a client's name that is safe to show and to log: printable, and of a bounded length."""
        shown = "".join(c if c.isprintable() else " " for c in client or "")[:_LONGEST].strip()
        return Origin(address, shown or None)


COMMAND = Origin(None, "command line")
