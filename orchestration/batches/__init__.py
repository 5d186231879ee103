"""The life of a silver batch: bronze files nobody has processed -> staged Parquet -> audited -> published."""

from orchestration.batches.publish import Published, publish
from orchestration.batches.register import NotAudited, Staged, record_audit, staged
from orchestration.batches.stage import restage, stage

__all__ = ["NotAudited", "Published", "Staged", "publish", "record_audit", "restage", "stage", "staged"]
