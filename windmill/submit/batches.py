"""Splitting an iterable into batches."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Consecutive lists of at most `size` values."""
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch
