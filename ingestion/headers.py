"""The headers of a message, whatever somebody has put into them."""

from __future__ import annotations

from operator import methodcaller

from confluent_kafka import Message

# Called through C: it checks what the client library returns. The interpreter's fast path for a method does not, and an
# error of the library would come up at some later line.
_HEADERS = methodcaller("headers")


def headers_of(message: Message) -> list[tuple[str, bytes | None]]:
    """The headers in their order, values null where they are null.

    Empty when a name is not UTF-8: the client library can give none of that message's headers then. No producer that
    follows the protocol writes such a name, and it must not stop those who read the log.
    To be asked once for a message.
    """
    try:
        return _HEADERS(message) or []
    except (SystemError, UnicodeDecodeError):
        return []
