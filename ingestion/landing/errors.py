"""What can stop a landing or the reading of what landed. Each message is one line that says what to do."""


class LandingError(RuntimeError):
    """A landing cannot go on; nothing is lost, for offsets move only with complete files."""


class LogUnavailable(LandingError):
    """Kafka does not answer. Transient: the next landing continues where this one stood."""


class LakeUnavailable(LandingError):
    """The lake does not answer, or refuses. The message holds no key and no password."""


class Fenced(LandingError):
    """Another landing moved the offsets meanwhile. Transient: its files hold the events."""


class Busy(LandingError):
    """Another landing has held the right to land for long. Transient: it ends, or somebody ends it."""


class OffsetsGone(LandingError):
    """Kafka no longer holds events that were not landed yet."""


class CorruptedFile(LandingError):
    """A bronze file is missing, or its bytes are not those that the manifest vouches for."""


class RebuildRefused(LandingError):
    """The files do not say what the manifest has to be. Nothing was changed."""
