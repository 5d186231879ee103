"""Days of silver made again from bronze: what today's code and rules make of events that were published long ago.

Bronze keeps every event as it came, so silver can be made from it at any time. A backfill takes the batches of some
ingest dates, stages their files once more, and puts the new batches in the place of the old ones, if a row differs:

- **Whole batches.** A batch counts or does not count as one. So the batches that hold a file of the days are made
  again with all their files, and with them the batches of events that were released from those files later.
- **Never half.** All batches of a topic are replaced in one transaction. Readers see the old ones or the new ones, and
  what kills a backfill leaves the old ones.
- **Nothing without a reason.** Where all rows are the same, nothing is published, and gold has nothing to do. Where one
  differs, gold's tables of the topic are made anew: an event that counts no more names no key that they could follow.
- **Bounded.** The files are staged in portions as a build does, however many days there are.
"""

from orchestration.backfill.again import Made, make_again
from orchestration.backfill.days import SeveralLogs
from orchestration.backfill.replace import Changed, Replaced, replace

__all__ = ["Changed", "Made", "Replaced", "SeveralLogs", "make_again", "replace"]
