"""Memory of processes that work in batches: when garbage is looked for, and what is kept of what was freed."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_M_ARENA_MAX = -8  # of mallopt(3)
_NEW = 100_000  # objects more than before; a batch makes several for each of its events, and drops them all


def collect_seldom() -> None:
    """Look for circular garbage once in a few batches instead of many times in each, and never again in what there is.

    What a batch makes is freed by its reference counts; the looking found nothing and took a tenth of the reading.
    """
    gc.freeze()
    gc.set_threshold(_NEW, 50, 50)


def few_arenas() -> None:
    """Let threads share two of the allocator's arenas, where it is glibc's; to be called before there are threads.

    With one for each thread, each keeps what its largest batches once took: a quarter of a projector's memory.
    """
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
