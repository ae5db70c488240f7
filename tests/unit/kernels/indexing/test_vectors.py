"""Which vectors an answer tells."""

import math

import pytest

from windmill.kernels.indexing.vectors import LEAST_NUMBERS, MOST_NUMBERS, MOST_VECTORS, digest_of, vectors_of

ONE = [3.0, 4.0, *[0.0] * 6]


def test_an_answer_may_tell_one_of_the_picture_or_one_of_each_thing_in_it() -> None:
    (whole,) = vectors_of([{"embedding": ONE, "predictions": []}])
    assert whole == pytest.approx((0.6, 0.8, *[0] * 6))
    faces = {"predictions": [{"label": "face", "embedding": ONE[::-1]}, {"label": "face"}, {"embedding": ONE}]}
    assert vectors_of([faces]) == [whole[::-1], whole]
    assert vectors_of([faces, {"predictions": [{"embedding": ONE}]}]) == [whole[::-1], whole], "each once"


@pytest.mark.parametrize(
    "given",
    [None, "x", {}, [], ONE[: LEAST_NUMBERS - 1], [1.0] * (MOST_NUMBERS + 1), [0.0] * 8, [*ONE, None], [True] * 8,
     [*ONE, "1"], [math.inf] * 8, [math.nan] * 8, [1e200] * 8],
)  # fmt: skip
def test_what_is_no_vector_is_left_out(given: object) -> None:
    assert vectors_of([{"embedding": given, "predictions": [{"embedding": given}, 7]}]) == []


def test_of_a_crowd_the_first_faces_are_kept() -> None:
    crowd = [{"embedding": [float(number), *ONE]} for number in range(1, 40)]
    assert len(vectors_of([{"predictions": crowd}])) == MOST_VECTORS


def test_a_digest_tells_vectors_apart_and_outlives_the_process() -> None:
    one, other = vectors_of([{"predictions": [{"embedding": ONE}, {"embedding": ONE[::-1]}]}])
    assert digest_of(one) != digest_of(other)
    assert digest_of(one) == digest_of(tuple(one)) == 5293183117584517018
