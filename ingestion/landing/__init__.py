"""Bronze: the log landed in the lake as Avro container files, and the manifest that names them.

Files are written first and named in PostgreSQL (``bronze.files``) after, in the transaction that moves
``bronze.offsets``; readers open what the manifest names and nothing else. Hence a crash at any point loses nothing and
doubles nothing.
"""

from ingestion.landing.errors import (
    Busy,
    CorruptedFile,
    Fenced,
    LakeUnavailable,
    LandingError,
    LogUnavailable,
    OffsetsGone,
    RebuildRefused,
)
from ingestion.landing.land import Landed, land, pending
from ingestion.landing.manifest import BronzeFile, files
from ingestion.landing.reading import read_file, verify

__all__ = [
    "BronzeFile",
    "Busy",
    "CorruptedFile",
    "Fenced",
    "LakeUnavailable",
    "Landed",
    "LandingError",
    "LogUnavailable",
    "OffsetsGone",
    "RebuildRefused",
    "files",
    "land",
    "pending",
    "read_file",
    "verify",
]
