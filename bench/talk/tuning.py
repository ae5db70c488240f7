"""Talks of many voices, on which the rules of speakers are chosen: python bench/talk/accuracy.py --tune

Beside prompts and a synthesiser there are words and syllables that people have recorded for two games for children,
each in another language; several in a row make a prompt. They are none of the voices that the tables are made of. A
voice that silero hardly takes for speech is left out, as are two languages whose words have two readers or more.

Vectors are made of each prompt once, and a talk is a sequence of prompts, so hundreds of them cost little. Pauses,
overlaps and the ends of stretches are no part of them: these are told by the other talks.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dev.voices.speakers import RECORDED, SENTENCES, Voices
from dev.voices.talks import trimmed, with_noise
from windmill.engines.audio.libraries import file_of_package
from windmill.engines.audio.voice_weights import read_voice_weights
from windmill.kernels.audio.pcm import RATE, Floats, Pcm, as_floats
from windmill.kernels.audio.speaker_clusters import ClusterRules
from windmill.kernels.audio.speaker_turns import VoiceWindow, turns_of, voice_windows
from windmill.kernels.audio.voice_encoder import SECONDS, VoiceEncoder
from windmill.media.audio.wave_files import part

WORDS: Mapping[str, Sequence[str]] = {
    "ktuberling/sounds": ("de", "el", "en", "gl", "lt", "nn", "ru", "sl", "uk", "wa"),
    "klettres": ("es", "it", "lt", "nds", "pt_BR", "ru", "uk"),
}
"""The folders of words of one reader each."""
PROMPTS = ("june", "carlo", "irina", "colombian")
SAID = ("awb", "rms")
_MOST_PROMPTS, _LEAST_PROMPTS = 40, 8
_PROMPT_SECONDS = (2.2, 6.0)
_GAP_SECONDS = (0.05, 0.2)
_WORD_SECONDS = (0.25, 6.0)
_PAUSE = 0.7
_CHANGES = 0.8


@dataclass(frozen=True)
class TuningVoice:
    """The vectors of each prompt. Two voices of one language may be one person, so they are in no talk together."""

    language: str
    prompts: Sequence[Floats]


@dataclass(frozen=True)
class VectorTalk:
    """How many speak in it, and the vectors of each stretch."""

    speakers: int
    stretches: Sequence[Floats]

    def found(self, rules: ClusterRules) -> int:
        """How many speakers are heard."""
        speech, windows, at = [], list[VoiceWindow](), 0.0
        for number, vectors in enumerate(self.stretches):
            seconds = SECONDS + 0.8 * (len(vectors) - 1)
            speech.append((at, at + seconds))
            starts = at + 0.8 * np.arange(len(vectors))
            windows += [VoiceWindow(number, (float(start), float(start) + SECONDS)) for start in starts]
            at += seconds + _PAUSE
        return len({turn.speaker for turn in turns_of(speech, windows, np.concatenate(self.stretches), rules)})


def tuning_voices(voices: Voices, noise: float | None) -> list[TuningVoice]:
    encoder = VoiceEncoder(read_voice_weights(file_of_package("resemblyzer", "pretrained.pt")))
    found = []
    for language, sounds in _sounds(voices):
        heard = [with_noise(sound.astype(np.int32), noise, seed) for seed, sound in enumerate(sounds[:_MOST_PROMPTS])]
        vectors = [one for one in (_vectors(encoder, sound) for sound in heard) if len(one) > 1]
        if len(vectors) >= _LEAST_PROMPTS:
            found.append(TuningVoice(language, vectors))
    return found


def _sounds(voices: Voices) -> Iterator[tuple[str, list[Pcm]]]:
    """The prompts of each voice, with its language."""
    for name in PROMPTS:
        count = min(_MOST_PROMPTS, len(voices.prompts(name)))
        yield RECORDED[name][:2], [trimmed(voices.recorded(name, number)) for number in range(count)]
    for name in SAID:
        yield name, [trimmed(voices.say(name, text)) for text in SENTENCES]
    for game, languages in WORDS.items():
        for language in languages:
            yield language[:2], _joined(_words(voices.tree / "usr/share" / game / language), random.Random(language))


def _words(folder: Path) -> Iterator[Pcm]:
    import av  # of the extra audio

    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".ogg", ".wav")):
        try:
            sound = _decoded(path)
        except (av.FFmpegError, UnicodeDecodeError):  # a few are broken
            continue
        levels = np.abs(sound.astype(np.int32))
        loud = np.flatnonzero(levels > max(150, 0.04 * levels.max(initial=0)))
        if len(loud) and _WORD_SECONDS[0] < (loud[-1] - loud[0]) / RATE < _WORD_SECONDS[1]:
            yield sound[loud[0] : loud[-1] + 1]


def _decoded(path: Path) -> Pcm:
    import av

    with av.open(str(path)) as file:
        resampler = av.AudioResampler("s16", "mono", RATE)
        frames = [one for frame in file.decode(audio=0) for one in resampler.resample(frame)] + resampler.resample(None)
    return np.concatenate([np.zeros(0, np.int16), *(frame.to_ndarray().ravel() for frame in frames)])


def _joined(words: Iterator[Pcm], dice: random.Random) -> list[Pcm]:
    """Neighbours stay together, as they were recorded together."""
    found, parts, goal = list[Pcm](), list[Pcm](), dice.uniform(*_PROMPT_SECONDS)
    for word in words:
        parts += [word, np.zeros(round(dice.uniform(*_GAP_SECONDS) * RATE), np.int16)]
        if sum(map(len, parts)) >= goal * RATE:
            found.append(np.concatenate(parts[:-1]))
            parts, goal = [], dice.uniform(*_PROMPT_SECONDS)
    return found


def _vectors(encoder: VoiceEncoder, sound: Pcm) -> Floats:
    windows = voice_windows([(0.0, len(sound) / RATE)])
    return encoder.vectors([as_floats(part(sound, window.span)) for window in windows])


def tuning_talks(voices: Sequence[TuningVoice]) -> list[list[VectorTalk]]:
    """Those in which all speak, and those of a guest who says one sentence, or two."""
    return [vector_talks(voices, 30), talks_with_a_guest(voices, 40, 1), talks_with_a_guest(voices, 40, 2)]


def vector_talks(voices: Sequence[TuningVoice], count: int) -> list[VectorTalk]:
    """So many of each number of voices, from 2 to 5; somebody else goes on four times out of five."""
    seeds = [(seed, speakers) for seed in range(count) for speakers in range(2, 6)]
    return [_talk(voices, speakers, random.Random(10 * seed + speakers)) for seed, speakers in seeds]


def talks_with_a_guest(voices: Sequence[TuningVoice], count: int, prompts: int) -> list[VectorTalk]:
    """Of three voices, and of a fourth that says next to nothing."""
    found = []
    for seed in range(count):
        dice = random.Random(seed)
        *hosts, guest = _who(voices, 4, dice)
        stretches = _said(hosts, 18, dice)
        for number, vectors in enumerate(dice.sample(list(guest.prompts), prompts)):
            stretches.insert(6 + 5 * number, vectors)
        found.append(VectorTalk(4, stretches))
    return found


def _talk(voices: Sequence[TuningVoice], speakers: int, dice: random.Random) -> VectorTalk:
    return VectorTalk(speakers, _said(_who(voices, speakers, dice), 6 * speakers + 1, dice))


def _who(voices: Sequence[TuningVoice], speakers: int, dice: random.Random) -> list[TuningVoice]:
    found: list[TuningVoice] = []
    while len(found) < speakers:
        one = dice.choice(voices)
        if one.language not in {other.language for other in found}:
            found.append(one)
    return found


def _said(who: Sequence[TuningVoice], turns: int, dice: random.Random) -> list[Floats]:
    pools = [dice.sample(list(one.prompts), len(one.prompts)) for one in who]
    speaker, found = 0, []
    for turn in range(turns):
        if turn < len(who):
            speaker = turn
        elif dice.random() < _CHANGES:
            speaker = dice.choice([other for other in range(len(who)) if other != speaker])
        found.append(pools[speaker][0])
        pools[speaker].append(pools[speaker].pop(0))
    return found
