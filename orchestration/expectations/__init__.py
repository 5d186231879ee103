"""Great Expectations: suites as code, and the one way to run them. Importing it takes seconds: only to run one does."""

from orchestration.expectations.runner import Expected, Outcome, metadata, preload, run, run_query

__all__ = ["Expected", "Outcome", "metadata", "preload", "run", "run_query"]
