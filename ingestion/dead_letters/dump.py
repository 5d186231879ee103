"""Bytes for people: a hex and ASCII dump, and text without anything that a terminal would obey."""

from __future__ import annotations

_WIDTH = 16  # bytes a line


def dump(data: bytes, *, limit: int = 512) -> str:
    """The first `limit` bytes, 16 a line: offset, hex, and ASCII with a dot for what cannot be printed.

    What is left out is said in a last line. Empty for no bytes.
    """
    lines = [
        _line(start, data[start : min(start + _WIDTH, limit)]) for start in range(0, min(len(data), limit), _WIDTH)
    ]
    if len(data) > limit:
        lines.append(f"... {len(data) - limit:,} of {len(data):,} bytes more")
    return "\n".join(lines)


def printable(text: str) -> str:
    """The text with every character that is not printable as an escape: letters hold what anybody has sent."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def text_of(data: bytes | None) -> str:
    """Bytes that should be text, printable; `null` where there are none."""
    return "null" if data is None else printable(data.decode("utf-8", "backslashreplace"))


def _line(start: int, chunk: bytes) -> str:
    shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in chunk)
    return f"{start:08x}  {chunk.hex(' '):<{3 * _WIDTH - 1}}  {shown}"
