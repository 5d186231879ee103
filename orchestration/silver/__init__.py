"""Silver's transforms: pure functions from DataFrame to DataFrame.

They run on a Spark session of either kind, classic or Connect, whose time zone is UTC (`orchestration.resources`):
`read` -> `typed` -> `judged` -> `decided` -> `valid` | `quarantined`; and `lines` of the valid ones. What they make
follows from a batch's own files and the known currencies: nothing that comes later changes it.
"""

from orchestration.silver.decided import decided
from orchestration.silver.judged import judged, quarantined, valid
from orchestration.silver.lines import lines
from orchestration.silver.read import read
from orchestration.silver.typed import typed

__all__ = ["decided", "judged", "lines", "quarantined", "read", "typed", "valid"]
