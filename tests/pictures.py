"""Pictures to upload."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from uuid import uuid4

from PIL import Image


def picture(kind: str, size: tuple[int, int] = (8, 8)) -> bytes:
    """A white one, of one of Pillow's formats."""
    out = BytesIO()
    Image.new("RGB", size, "white").save(out, kind)
    return out.getvalue()


def unlike() -> bytes:
    """A picture like no other."""
    return picture("PNG") + uuid4().bytes


def claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is as large as that."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return picture("PNG")[:8] + _chunk(header) + picture("PNG")[33:]


def bomb(chunks: int) -> bytes:
    """A PNG with so many colour profiles, each a megabyte when it is decompressed."""
    profile = _chunk(b"iCCPp\0\0" + zlib.compress(bytes(1024**2)))
    return picture("PNG")[:33] + profile * chunks + picture("PNG")[33:]


def _chunk(content: bytes) -> bytes:
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
