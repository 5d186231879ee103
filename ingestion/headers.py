"""The headers of a message, whatever somebody has put into them."""

from __future__ import annotations

from confluent_kafka import Message


def headers_of(message: Message) -> list[tuple[str, bytes | None]]:
    """The headers in their order, values null where they are null.

    Empty when a name is not UTF-8: the client library can give none of that message's headers then. No producer that
    follows the protocol writes such a name, and it must not stop those who read the log.
    """
    try:
        return message.headers() or []
    except (SystemError, UnicodeDecodeError):
        return []
