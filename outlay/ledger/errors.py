"""What the ledger answers when it cannot append, each in words for the person."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from ingestion.rules import Problem


class Refused(ValueError):
    """The event breaks rules: nothing was appended. `problems` says every one, with the field at fault."""

    def __init__(self, problems: Sequence[Problem]):
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.problems = list(problems)


class Taken(Refused):
    """Another transaction has the caller's own id already."""

    def __init__(self, external_id: str, transaction_id: UUID):
        self.transaction_id = transaction_id
        message = f"{external_id!r} is the external_id of the transaction {transaction_id} already"
        super().__init__([Problem("external_id_unused", "external_id", message)])


class NotFound(LookupError):
    """The workspace has no such transaction, account or other thing, or it had no such version."""

    def __init__(self, entity_id: UUID | str, version: int | None = None, *, entity: str = "transaction"):
        of = "" if version is None else f", or it has no version {version}"
        super().__init__(f"the workspace has no {entity} {entity_id}{of}")


class NotAllowed(PermissionError):
    """Somebody may not change this workspace: they are no member of it, or a viewer."""


class KafkaUnavailable(RuntimeError):
    """Kafka, or the schema registry that its events need, does not take the event now."""


class AppendStopped(KafkaUnavailable):
    """A long append ended early. What was acknowledged stays; running it again is safe and adds only the rest."""


class LiveStalled(RuntimeError):
    """The live view makes no progress, so that nobody knows what became of the events."""
