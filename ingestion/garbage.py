"""Memory of processes that work in batches: when garbage is looked for, and what is kept of what was freed."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of mallopt(3)
_KEPT, _LARGE = 16 << 20, 8 << 20  # bytes
_NEW = 100_000  # objects more than before; a batch makes several for each of its events, and drops them all


def collect_seldom() -> None:
    """Look for circular garbage once in a few batches instead of many times in each, and never again in what there is.

    What a batch makes is freed by its reference counts; the looking found nothing and took a tenth of the reading.
    """
    gc.freeze()
    gc.set_threshold(_NEW, 50, 50)


def keep_freed() -> None:
    """Let the allocator, where it is glibc's, keep what a batch has freed for the next one; before there are threads.

    By itself it may give each array of a batch back to the system and take it anew, page by page. Threads share two
    arenas: with one for each, each keeps what its largest batches once took, a quarter of a projector's memory.
    """
    with suppress(AttributeError):  # another C library
        allocator = ctypes.CDLL(None)
        allocator.mallopt(_M_ARENA_MAX, 2)
        allocator.mallopt(_M_TRIM_THRESHOLD, _KEPT)
        allocator.mallopt(_M_MMAP_THRESHOLD, _LARGE)
