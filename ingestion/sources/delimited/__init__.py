"""Delimited text files (CSV and its kin): their dialect, their columns, and their rows as plain records."""

from ingestion.sources.delimited.columns import FIELDS, Mapping, UnknownColumns
from ingestion.sources.delimited.dialect import Dialect, UnreadableFile
from ingestion.sources.delimited.reader import Bad, DelimitedFile, Record, Refused

__all__ = [
    "FIELDS",
    "Bad",
    "DelimitedFile",
    "Dialect",
    "Mapping",
    "Record",
    "Refused",
    "UnknownColumns",
    "UnreadableFile",
]
