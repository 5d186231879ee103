"""Great Expectations: suites as code, and the one way to run them. Importing it takes seconds: only `run` does."""

from orchestration.expectations.runner import Expected, Outcome, metadata, preload, run

__all__ = ["Expected", "Outcome", "metadata", "preload", "run"]
