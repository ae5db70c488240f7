"""A vector for a voice: a network of three LSTM layers and a projection, in plain numpy. Its weights come from
elsewhere; they are those of GE2E as Resemblyzer has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from windmill.kernels.audio.mel import HOP, mel_frames
from windmill.kernels.audio.pcm import RATE, Floats

LAYERS, HIDDEN = 3, 256
FRAMES = 160
"""Frames of mel bands that a vector is made of: 1.6 s."""
SECONDS = FRAMES * HOP / RATE
_LOUDNESS = 10 ** (-30 / 20)
_BATCH = 32


@dataclass(frozen=True)
class LstmLayer:
    """The weights of one layer; gates stand in the order input, forget, cell, output."""

    of_input: Floats
    of_state: Floats
    bias: Floats


class VoiceEncoder:
    """Makes unit vectors of sound; those of one voice point the same way."""

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        self._layers = [_layer(weights, number) for number in range(LAYERS)]
        self._projection = np.ascontiguousarray(weights["linear.weight"].T)
        self._offset = weights["linear.bias"]

    def vectors(self, sounds: Sequence[Floats]) -> Floats:
        """One for each stretch of up to 1.6 s; a shorter one is repeated until it is as long."""
        found = [
            self._encode(np.stack([_frames(one) for one in sounds[start : start + _BATCH]]))
            for start in range(0, len(sounds), _BATCH)
        ]
        return np.concatenate([*found, np.zeros((0, HIDDEN), np.float32)])

    def _encode(self, frames: Floats) -> Floats:
        for layer in self._layers:
            frames = _run(layer, frames)
        raised = np.maximum(frames[:, -1] @ self._projection + self._offset, 0.0)
        return np.asarray(raised / np.maximum(np.linalg.norm(raised, axis=1, keepdims=True), 1e-9), np.float32)


def _layer(weights: Mapping[str, Floats], number: int) -> LstmLayer:
    return LstmLayer(
        np.ascontiguousarray(weights[f"lstm.weight_ih_l{number}"].T),
        np.ascontiguousarray(weights[f"lstm.weight_hh_l{number}"].T),
        weights[f"lstm.bias_ih_l{number}"] + weights[f"lstm.bias_hh_l{number}"],
    )


def _run(layer: LstmLayer, frames: Floats) -> Floats:
    """The states of a layer over time, for all rows at once."""
    rows, times, _ = frames.shape
    state, cell = np.zeros((rows, HIDDEN), np.float32), np.zeros((rows, HIDDEN), np.float32)
    states = np.empty((rows, times, HIDDEN), np.float32)
    given = frames @ layer.of_input + layer.bias
    for time in range(times):
        gates = given[:, time] + state @ layer.of_state
        opened = _sigmoid(gates)
        cell = opened[:, HIDDEN : 2 * HIDDEN] * cell + opened[:, :HIDDEN] * np.tanh(gates[:, 2 * HIDDEN : 3 * HIDDEN])
        state = opened[:, 3 * HIDDEN :] * np.tanh(cell)
        states[:, time] = state
    return states


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * values), np.float32)  # the usual form overflows


def _frames(sound: Floats) -> Floats:
    loudness = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) if len(sound) else 0.0
    louder = sound * np.float32(max(1.0, _LOUDNESS / max(loudness, 1e-6)))
    frames = mel_frames(louder)
    return np.tile(frames, (-(-FRAMES // len(frames)), 1))[:FRAMES]
