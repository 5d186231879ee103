"""The way in: contracts, sources, the events they become, and their way to the live view and the lake.

Imports nothing of Outlay outside this package; addresses and folders reach it as arguments.
"""
