"""Outlay: a self-hosted expense platform whose every figure can be traced."""
