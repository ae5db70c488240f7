"""What is drawn of a recording."""

import numpy as np
import pytest

from windmill.kernels.audio.pcm import RATE
from windmill.kernels.audio.sound_outline import MOST_STEPS, SoundOutline


@pytest.mark.parametrize("size", [777, RATE, 100 * RATE])
def test_the_outline_is_the_same_in_whatever_pieces_the_sound_comes(size: int) -> None:
    sound = np.zeros(RATE * 2, np.int16)
    sound[RATE : RATE + 200] = -16_384
    outline = SoundOutline()
    for start in range(0, len(sound), size):
        outline.feed(sound[start : start + size])
    assert outline.steps() == [0.0] * 10 + [0.5] + [0.0] * 9


def test_a_long_recording_has_no_more_steps_and_loses_no_peak() -> None:
    outline = SoundOutline()
    sound = np.zeros(RATE * 300, np.int16)
    sound[RATE * 150] = 32_767
    outline.feed(sound)
    steps = outline.steps()
    assert (len(steps), max(steps), steps.index(max(steps))) == (MOST_STEPS, 1.0, MOST_STEPS // 2)


def test_nothing_has_no_outline_and_the_last_bit_counts() -> None:
    assert SoundOutline().steps() == []
    outline = SoundOutline()
    outline.feed(np.array([3_277], np.int16))
    assert outline.steps() == [0.1]
