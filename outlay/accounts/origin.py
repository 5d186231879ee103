"""Where a request came from, as sessions and the audit log keep it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

_LONGEST = 300


@dataclass(frozen=True)
class Origin:
    """`address`: the network address, None of a command. `client`: the program, as it calls itself."""

    address: str | None
    client: str | None

    @staticmethod
    def of(address: str | None, client: str | None) -> Origin:
        """With a client's name that is safe to show and to log: printable, and of a bounded length. What is no network
        address is none."""
        shown = "".join(c if c.isprintable() else " " for c in client or "")[:_LONGEST].strip()
        try:
            place = str(ipaddress.ip_address(address or ""))
        except ValueError:
            place = None
        return Origin(place, shown or None)

    @property
    def place(self) -> str | None:
        """What attempts are counted by: the address; of IPv6, the network of 64 bits that one customer has."""
        if self.address is None or ipaddress.ip_address(self.address).version == 4:
            return self.address
        return str(ipaddress.ip_network((self.address, 64), strict=False))


COMMAND = Origin(None, "command line")
