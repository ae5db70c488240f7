"""Clustering voices that are made up, and turns out of them."""

from itertools import pairwise

import numpy as np
import pytest

from windmill.kernels.audio.pcm import Floats
from windmill.kernels.audio.speaker_clusters import BLOCK, ClusterRules, cluster_voices
from windmill.kernels.audio.speaker_turns import (
    SpeakerTurn,
    joined_turns,
    label_of,
    relabelled,
    spans_by_speaker,
    turns_of,
    voice_windows,
)
from windmill.kernels.audio.voice_encoder import HIDDEN, LAYERS, VoiceEncoder

RULES = ClusterRules()


def voice(number: int, count: int, spread: float = 0.02, seed: int = 0) -> Floats:
    """Vectors that scatter about one direction."""
    middle = np.random.default_rng(1_000 + number).normal(0, 1, 64)
    scattered = middle / np.linalg.norm(middle) + np.random.default_rng(seed).normal(0, spread, (count, 64))
    return np.asarray(scattered / np.linalg.norm(scattered, axis=1, keepdims=True), np.float32)


def test_as_many_speakers_are_found_as_speak_in_the_order_in_which_they_begin() -> None:
    vectors = np.concatenate([voice(3, 5), voice(1, 4), voice(3, 2), voice(2, 6)])
    assert cluster_voices(vectors, [3.0] * 17, RULES).tolist() == [0] * 5 + [1] * 4 + [0] * 2 + [2] * 6


def test_a_talk_of_many_blocks_has_no_more_speakers_than_one_of_a_single_block() -> None:
    order = np.random.default_rng(2).integers(0, 4, 5 * BLOCK)
    pools = [voice(number, 5 * BLOCK, seed=number) for number in range(4)]
    vectors = np.stack([pools[who][place] for place, who in enumerate(order)])
    labels = cluster_voices(vectors, [2.0] * len(order), RULES)
    assert len({(int(who), int(label)) for who, label in zip(order, labels, strict=True)}) == 4


def test_at_most_so_many_speakers_if_somebody_knows() -> None:
    vectors = np.concatenate([voice(number, 4) for number in range(5)])
    assert len(set(cluster_voices(vectors, [3.0] * 20, ClusterRules(most_speakers=2)).tolist())) == 2


def test_who_says_next_to_nothing_is_taken_for_somebody_who_sounds_alike() -> None:
    vectors = np.concatenate([voice(1, 5), voice(2, 5), voice(3, 1)])
    labels = cluster_voices(vectors, [3.0] * 10 + [0.4], RULES)
    assert len(set(labels.tolist())) == 2
    assert cluster_voices(voice(1, 1), [0.4], RULES).tolist() == [0]
    assert cluster_voices(np.zeros((0, 64), np.float32), [], RULES).tolist() == []


def along(start: int, end: int, count: int, spread: float = 0.02, seed: int = 0) -> Floats:
    """A voice that changes from one direction to another while it speaks: only neighbours are alike."""
    ends = np.stack([voice(start, 1, 0.0)[0], voice(end, 1, 0.0)[0]])
    shares = np.linspace(0, 1, count)[:, None]
    moved = ends[0] * (1 - shares) + ends[1] * shares
    scattered = moved + np.random.default_rng(seed).normal(0, spread, moved.shape)
    return np.asarray(scattered / np.linalg.norm(scattered, axis=1, keepdims=True), np.float32)


def test_a_voice_that_changes_in_the_course_of_a_talk_is_one_speaker() -> None:
    changing, other = along(1, 2, 16), voice(3, 8)
    assert float(changing[0] @ changing[-1]) < 0.3, "its ends are not alike"
    labels = cluster_voices(np.concatenate([changing, other]), [3.0] * 24, RULES)
    assert labels.tolist() == [0] * 16 + [1] * 8


def between(one: int, other: int, share: float) -> Floats:
    """A stretch that is like one voice and somewhat like another."""
    mixed = voice(one, 1)[0] * share + voice(other, 1)[0]
    return np.asarray(mixed / np.linalg.norm(mixed), np.float32)[None]


def test_one_odd_stretch_of_a_voice_is_no_speaker_and_a_stranger_is_one() -> None:
    talk = np.concatenate([voice(1, 6), voice(2, 6)])
    odd = between(1, 5, 1.1)
    assert 0.6 < float(odd[0] @ talk[0]) < 0.79
    assert cluster_voices(np.concatenate([talk, odd]), [3.0] * 12 + [5.0], RULES).tolist()[-1] == 0
    assert cluster_voices(np.concatenate([talk, voice(5, 1)]), [3.0] * 12 + [5.0], RULES).tolist()[-1] == 2


def test_two_who_say_one_sentence_each_are_two() -> None:
    vectors = np.concatenate([voice(1, 1), between(1, 5, 0.9)])
    assert cluster_voices(vectors, [4.0, 4.0], RULES).tolist() == [0, 1]


def test_the_most_alike_become_one_if_fewer_speak_than_are_heard() -> None:
    alike = np.repeat(between(1, 5, 0.8), 4, axis=0)
    vectors = np.concatenate([voice(1, 4), voice(2, 4), alike])
    assert cluster_voices(vectors, [3.0] * 12, RULES).tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert cluster_voices(vectors, [3.0] * 12, ClusterRules(most_speakers=2)).tolist() == [0] * 4 + [1] * 4 + [0] * 4


def test_a_changing_voice_is_one_speaker_in_a_talk_of_many_blocks_too() -> None:
    order = np.random.default_rng(2).integers(0, 3, 6 * BLOCK)
    pools = [along(7, 8, 6 * BLOCK), voice(1, 6 * BLOCK, seed=1), voice(2, 6 * BLOCK, seed=2)]
    vectors = np.stack([pools[who][place] for place, who in enumerate(order)])
    labels = cluster_voices(vectors, [2.0] * len(order), RULES)
    assert len(set(labels.tolist())) == 3


def test_windows_cover_each_stretch_and_none_crosses_two() -> None:
    windows = voice_windows([(1.0, 1.5), (4.0, 8.1)])
    assert windows[0].span == (1.0, 1.5)
    assert windows[1].span[0] == 4.0
    assert windows[-1].span[1] == pytest.approx(8.1)
    assert all(later.span[0] - one.span[0] <= 0.81 for one, later in pairwise(windows[1:]))


def test_a_change_of_the_voice_in_the_middle_of_a_stretch_is_found() -> None:
    speech = [(0.0, 12.0), (13.0, 20.0)]
    windows = voice_windows(speech)
    middles = [(one.span[0] + one.span[1]) / 2 for one in windows]
    pools = voice(1, len(windows)), voice(2, len(windows))
    vectors = np.stack([pools[6.0 < middle < 13][place] for place, middle in enumerate(middles)])
    turns = turns_of(speech, windows, vectors, RULES)
    assert [turn.speaker for turn in turns] == [label_of(0), label_of(1), label_of(0)]
    assert turns[0].t1 == pytest.approx(6.0, abs=0.5)
    assert turns[1].t1 == pytest.approx(12.0)
    assert turns_of([], [], np.zeros((0, 64), np.float32), RULES) == []


def test_turns_are_joined_where_nobody_else_speaks_between_them() -> None:
    turns = [SpeakerTurn("b", 0, 1), SpeakerTurn("b", 1.2, 2), SpeakerTurn("a", 2.1, 3), SpeakerTurn("b", 3.1, 4)]
    joined = joined_turns(turns)
    assert [(turn.speaker, turn.t0, turn.t1) for turn in joined] == [("b", 0, 2), ("a", 2.1, 3), ("b", 3.1, 4)]
    assert [turn.speaker for turn in relabelled(joined)] == [label_of(0), label_of(1), label_of(0)]
    assert spans_by_speaker(joined) == {"b": [(0, 2), (3.1, 4)], "a": [(2.1, 3)]}


def drawn_weights() -> dict[str, Floats]:
    dice = np.random.default_rng(4)
    sizes = {"weight_ih": 40, "weight_hh": HIDDEN}
    found = {}
    for layer in range(LAYERS):
        for name, size in sizes.items():
            width = HIDDEN if layer and name == "weight_ih" else size
            found[f"lstm.{name}_l{layer}"] = dice.normal(0, 0.1, (4 * HIDDEN, width)).astype(np.float32)
        for name in ("bias_ih", "bias_hh"):
            found[f"lstm.{name}_l{layer}"] = dice.normal(0, 0.1, 4 * HIDDEN).astype(np.float32)
    found["linear.weight"] = dice.normal(0, 0.1, (HIDDEN, HIDDEN)).astype(np.float32)
    return found | {"linear.bias": np.zeros(HIDDEN, np.float32)}


def test_the_encoder_makes_unit_vectors_that_do_not_depend_on_what_else_is_asked() -> None:
    encoder, dice = VoiceEncoder(drawn_weights()), np.random.default_rng(5)
    sounds = [dice.normal(0, 0.1, size).astype(np.float32) for size in (25_600, 8_000, 25_600)]
    together = encoder.vectors(sounds)
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert np.allclose(together[1], encoder.vectors([sounds[1]])[0], atol=1e-5)
    quiet, quieter = encoder.vectors([sounds[0] * 0.2, sounds[0] * 0.02])
    assert np.allclose(quiet, quieter, atol=1e-2)
    assert encoder.vectors([]).shape == (0, HIDDEN)
