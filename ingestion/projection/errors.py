"""Why a projector stops for good. Each is permanent: somebody, or the supervisor, must act."""


class ProjectionError(RuntimeError):
    """The live view cannot go on from where it stands."""


class Fenced(ProjectionError):
    """Another projector moved the offsets: what this one knows of them is out of date. A restart reads them anew."""


class TopicReplaced(ProjectionError):
    """A topic was deleted and created again: its offsets mean other events than those that live was built from."""


class PartitionsAdded(ProjectionError):
    """A topic has more partitions than live was built from, so that keys moved and their events lost their order."""


class LogTruncated(ProjectionError):
    """Kafka no longer holds the next event that live needs."""


class OffsetsRewound(ProjectionError):
    """live.events already holds what live.offsets says comes next: somebody changed live.offsets."""


class TopicMissing(Exception):
    """A topic does not exist yet. Not permanent: the stack's step creates it."""
