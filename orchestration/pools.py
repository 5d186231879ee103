"""Which runs take turns: a run whose assets are in a pool waits in the queue until no other run holds that pool.

A run holds the pools of all its assets from its start to its end (`outlay.stack.services.dagster` sets that, and that
one run at a time may hold each), so two builds never overlap, while what writes elsewhere runs beside them.

In no pool is what takes its turn by itself: a landing waits for the lock of the one before it, and moves offsets only
from where it found them; corrections and releases are changes like those of the app.
"""

SILVER = "silver"
"""A staging replaces what was staged before and not published: between it and the publication nobody else may stage."""

WAREHOUSE = "warehouse"
"""dbt's models, its files in the home, and the checks that read several models and expect them to be of one build."""

QUALITY = "quality"
"""Pages that are made of everything that is kept: two at once would only wait for each other, with a library each."""
