"""Make a small picture of a large one, by itself: ``python portrait.py < picture > portrait.webp``.

A process of its own, with bounds on its time and its memory: a few bytes of a picture can ask for much of both, and
what reads pictures is the code that hostile files are made for.
"""

from __future__ import annotations

import resource
import sys
import warnings
from io import BytesIO

from PIL import Image, ImageOps

SIDE = 256
"""Width and height of what is made, in pixels."""
MOST_PIXELS = 50_000_000  # 200 MB when they are decompressed
_SECONDS, _BYTES = 5, 1024**3


def portrait(content: bytes) -> bytes:
    """The middle of a picture, upright, without what a camera wrote beside it, as WebP.

    Raises:
        ValueError: it has more than `MOST_PIXELS`. Pillow raises much else when it is no picture.
    """
    with Image.open(BytesIO(content), formats=("JPEG", "PNG", "WEBP", "GIF")) as image:
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise ValueError(f"expected at most {MOST_PIXELS:,} pixels, got {width:,} by {height:,}")
        image.draft(None, (2 * SIDE, 2 * SIDE))  # a JPEG need not be read at its full size
        upright = ImageOps.exif_transpose(image).convert("RGBA")
        out = BytesIO()
        ImageOps.fit(upright, (SIDE, SIDE)).save(out, "WEBP", quality=85)
        return out.getvalue()


def main() -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    warnings.simplefilter("ignore")
    sys.stdout.buffer.write(portrait(sys.stdin.buffer.read()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
