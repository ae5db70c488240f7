"""Talks that are made of voices: who speaks when, and what, is known to the sample."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dev.voices.speakers import RECORDED, SENTENCES, Voices
from windmill.kernels.audio.pcm import RATE, Pcm
from windmill.kernels.audio.speaker_turns import SpeakerTurn

_PAUSES = (0.35, 1.1)
_OVERLAP_SECONDS = 0.7
_CHANGES = 0.8


@dataclass(frozen=True)
class TalkPlan:
    """What a talk is to be like: its voices, how many turns it has, noise so many decibels below it, the share of turns
    that begin before the one before has ended, and the sentences of synthesised voices."""

    voices: Sequence[str]
    turns: int
    noise: float | None = None
    overlap: float = 0.0
    seed: int = 1
    sentences: Sequence[str] = SENTENCES


@dataclass(frozen=True)
class SpokenTurn:
    """A turn, with its words where they are known."""

    turn: SpeakerTurn
    text: str | None


@dataclass(frozen=True)
class MadeTalk:
    sound: Pcm
    spoken: Sequence[SpokenTurn] = field(default_factory=tuple)

    @property
    def turns(self) -> list[SpeakerTurn]:
        return [one.turn for one in self.spoken]

    @property
    def seconds(self) -> float:
        return len(self.sound) / RATE


def trimmed(sound: Pcm) -> Pcm:
    """Without the silence at its ends: it is no speech, and would be counted as missed."""
    loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > 400)
    return sound[loud[0] : loud[-1] + 1] if len(loud) else sound


def make_talk(voices: Voices, plan: TalkPlan) -> MadeTalk:
    """The same plan gives the same talk. Who speaks next is somebody else, four times out of five."""
    dice = random.Random(plan.seed)
    say = {name: _sayer(voices, name, plan.sentences, dice) for name in plan.voices}
    mixed, at, spoken = np.zeros(0, np.int32), 0, []
    speaker = plan.voices[0]
    for number in range(plan.turns):
        speaker = _next_speaker(plan, number, speaker, dice)
        sound, text = say[speaker]()
        early = bool(number) and dice.random() < plan.overlap
        start = max(0, at - round(_OVERLAP_SECONDS * RATE)) if early else at + round(dice.uniform(*_PAUSES) * RATE)
        end = start + len(sound)
        mixed = np.pad(mixed, (0, max(0, end - len(mixed))))
        mixed[start:end] += sound
        spoken.append(SpokenTurn(SpeakerTurn(speaker, start / RATE, end / RATE), text))
        at = end
    mixed = np.pad(mixed, (0, RATE // 2))
    return MadeTalk(with_noise(mixed, plan.noise, plan.seed), spoken)


def _next_speaker(plan: TalkPlan, number: int, before: str, dice: random.Random) -> str:
    if number < len(plan.voices):
        return plan.voices[number]
    others = [name for name in plan.voices if name != before]
    return dice.choice(others) if others and dice.random() < _CHANGES else before


def with_noise(mixed: npt.NDArray[np.int32], decibels: float | None, seed: int) -> Pcm:
    """With white noise so many decibels below it, or as it is."""
    sound = mixed.astype(np.float64)
    if decibels is not None:
        power = np.sqrt(np.mean(np.square(sound))) * 10 ** (-decibels / 20)
        sound += np.random.default_rng(seed).normal(0, power, len(sound))
    return np.asarray(np.clip(sound, -32_768, 32_767), np.int16)


def _sayer(
    voices: Voices, name: str, sentences: Sequence[str], dice: random.Random
) -> Callable[[], tuple[Pcm, str | None]]:
    """Says something else each time, until it has said all it knows."""
    if name in RECORDED:
        numbers = list(range(len(voices.prompts(name))))
        dice.shuffle(numbers)
        return lambda: (trimmed(voices.recorded(name, numbers.pop())), None)
    texts = list(sentences)
    dice.shuffle(texts)

    def say() -> tuple[Pcm, str | None]:
        text = texts.pop()
        texts.insert(0, text)
        return trimmed(voices.say(name, text)), text

    return say
