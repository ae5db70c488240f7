"""Which chunks belong together, and which are missing."""

from dataclasses import dataclass
from itertools import permutations

import pytest

from windmill.kernels.audio.chunk_order import ChunkOf, ConflictingChunks, in_order, runs


@dataclass(frozen=True)
class Facts:
    number: int
    sha256: str = "a"
    start_ms: int | None = None
    duration_ms: int | None = None


def chunk(number: int, *, whole: bool = True, sha256: str = "a") -> ChunkOf:
    return ChunkOf(Facts(number, sha256), whole)


def shape(*chunks: ChunkOf) -> list[tuple[list[int], int, int | None]]:
    return [(list(run.places), run.missing, run.header) for run in runs(chunks)]


def test_whatever_the_order_in_which_they_come_their_numbers_decide_and_duplicates_are_none() -> None:
    chunks = [chunk(number) for number in range(4)]
    for order in permutations(chunks):
        assert in_order([*order, chunk(2), chunk(0)]) == chunks


def test_another_content_under_the_same_number_is_a_conflict() -> None:
    with pytest.raises(ConflictingChunks, match="chunk 1 "):
        in_order([chunk(0), chunk(1), chunk(1, sha256="b")])


def test_files_of_their_own_are_decoded_each() -> None:
    assert shape(chunk(0), chunk(1), chunk(2)) == [([0], 0, None), ([1], 0, None), ([2], 0, None)]


def test_what_has_no_header_is_joined_to_what_comes_before_it() -> None:
    first, more = chunk(0), [chunk(number, whole=False) for number in (1, 2)]
    assert shape(first, *more, chunk(3), chunk(4, whole=False)) == [([0, 1, 2], 0, None), ([3, 4], 0, None)]


def test_after_a_gap_a_continuation_borrows_the_header() -> None:
    chunks = [chunk(0), chunk(1, whole=False), chunk(4, whole=False), chunk(5, whole=False)]
    assert shape(*chunks) == [([0, 1], 0, None), ([2, 3], 2, 0)]


def test_a_recorder_may_count_from_one() -> None:
    assert shape(chunk(1)) == [([0], 0, None)]
    assert shape(chunk(3)) == [([0], 3, None)]
    assert shape() == []
