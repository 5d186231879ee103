"""Silver's transforms: pure functions from DataFrame to DataFrame.

They run on a Spark session of either kind, classic or Connect, whose time zone is UTC (`orchestration.spark`):
`read` -> `typed` -> `judged` -> `decided` -> `valid` | `quarantined`; and `lines` of the valid ones. What they make
follows from a batch's own files, the known currencies, and the rules that somebody said an event may break.
"""

from orchestration.silver.decided import decided
from orchestration.silver.judged import judged, quarantined, valid
from orchestration.silver.lines import lines
from orchestration.silver.read import PLACE, read
from orchestration.silver.typed import typed

__all__ = ["PLACE", "decided", "judged", "lines", "quarantined", "read", "typed", "valid"]
