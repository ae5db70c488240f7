"""Detecting sound in drawn signals, how loud it is, and how far two recordings overlap."""

import numpy as np
import pytest

from windmill.kernels.audio.alignment import overlap_of
from windmill.kernels.audio.pcm import RATE, SILENT, LevelMeter, Pcm, as_floats, level
from windmill.kernels.audio.spans import total
from windmill.kernels.audio.speech_frames import (
    FRAME_SECONDS,
    SpeechRules,
    frame_levels,
    louder_than_the_rest,
    speech_spans,
)

RULES = SpeechRules()


def noise(seconds: float, size: float, seed: int = 1) -> Pcm:
    return np.asarray(np.random.default_rng(seed).normal(0, size * 32_767, round(seconds * RATE)), np.int16)


def heard(sound: Pcm) -> list[tuple[float, float]]:
    return speech_spans(louder_than_the_rest(frame_levels(sound)), len(sound) / RATE, RULES)


def test_bursts_over_a_background_are_found_where_they_are() -> None:
    sound = noise(10, 0.003)
    sound[2 * RATE : 4 * RATE] += noise(2, 0.1, seed=2)
    sound[7 * RATE : 8 * RATE] += noise(1, 0.1, seed=3)
    (first, second) = heard(sound)
    assert first == pytest.approx((2, 4), abs=RULES.pad + 2 * FRAME_SECONDS)
    assert second == pytest.approx((7, 8), abs=RULES.pad + 2 * FRAME_SECONDS)


@pytest.mark.parametrize("size", [0.0, 0.001, 0.05])
def test_silence_and_an_even_background_are_no_speech(size: float) -> None:
    assert heard(noise(20, size)) == []


def test_short_pauses_belong_to_speech_and_clicks_are_none() -> None:
    probabilities = np.zeros(400)
    probabilities[50:100], probabilities[104:150] = 0.9, 0.9  # a pause of 0.13 s
    probabilities[300:303] = 0.9  # 0.1 s
    (span,) = speech_spans(probabilities, 400 * FRAME_SECONDS, RULES)
    assert span == pytest.approx((50 * FRAME_SECONDS - RULES.pad, 150 * FRAME_SECONDS + RULES.pad))


def test_speech_goes_on_below_the_probability_at_which_it_begins() -> None:
    probabilities = np.full(100, 0.4)
    assert speech_spans(probabilities, 3.2, RULES) == []
    probabilities[50] = 0.6
    assert total(speech_spans(probabilities, 3.2, RULES)) == pytest.approx(3.2)


def test_levels_come_out_alike_in_whatever_pieces_the_sound_is_fed() -> None:
    sound = np.concatenate([noise(3, 0.1), np.zeros(5 * RATE, np.int16)])
    whole, pieces = LevelMeter(), LevelMeter()
    whole.feed(sound)
    for start in range(0, len(sound), 7_777):
        pieces.feed(sound[start : start + 7_777])
    assert pieces.levels() == whole.levels()
    assert whole.levels().loudness == pytest.approx(-20, abs=0.5)  # the silence does not count
    assert LevelMeter().levels().loudness == SILENT == level(np.zeros(0, np.int16))


def test_what_is_cut_off_is_told_and_a_single_peak_is_not() -> None:
    loud = np.asarray(np.clip(1.5 * np.sin(np.arange(RATE) / 10), -1, 1) * 32_767, np.int16)
    meter, peak = LevelMeter(), LevelMeter()
    meter.feed(loud)
    assert 0.4 < meter.levels().clipped < 0.7
    peak.feed(np.array([0, 32_767, 0, 0], np.int16))
    assert peak.levels().clipped == 0


@pytest.mark.parametrize("told", [0.6, 1.0, 1.3])
def test_the_overlap_of_two_recorders_is_measured_to_the_sample_though_their_clocks_are_not(told: float) -> None:
    sound = as_floats(noise(6, 0.1))
    before, after = sound[: 3 * RATE], sound[2 * RATE :] * 0.7 + as_floats(noise(4, 0.005, seed=5))
    found = overlap_of(before, after[: 2 * RATE], round(told * RATE), RATE // 2)
    assert (found.samples, found.heard) == (RATE, True)


def test_where_nothing_is_alike_the_clocks_are_believed() -> None:
    before, after = as_floats(noise(3, 0.1, seed=7)), as_floats(noise(3, 0.1, seed=8))
    found = overlap_of(before, after, RATE, RATE // 2)
    assert (found.samples, found.heard) == (RATE, False)
    quiet = np.zeros(2 * RATE, np.float32)
    assert not overlap_of(quiet, quiet, RATE, RATE // 2).heard
    assert overlap_of(before[:100], after, RATE, 10).samples == 100
