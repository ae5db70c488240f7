"""Pure computation: no I/O, no clock, no randomness, no logging. Values are frozen dataclasses.

The few classes that keep state between calls say so in their docstrings (mutable) and depend on their callers alone.
"""
