"""How well talk is heard: python bench/talk/accuracy.py [--tune] [--talks 2]

Talks of several voices are made of recorded prompts and of sentences by a synthesiser (dev/voices), so speakers, words
and times are known. Each goes through the steps as a job would take it, with the engine `audio`. Rows that put a
perfect diariser or a perfect recogniser in place of ours tell whose errors they are. No other row is told anything.

`--tune` tries thresholds on other voices than the tables are made of.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from bench.talk.scores import (
    DiarisationScore,
    best_mapping,
    count_error,
    counts_of,
    diarisation_score,
    plain_words,
    word_errors,
)
from dev.voices.speakers import Voices, open_voices, voices_cache
from dev.voices.talks import MadeTalk, TalkPlan, make_talk
from windmill.engines.audio.engine import AudioEngine
from windmill.engines.engine import EngineRequest
from windmill.engines.entries import AudioEntry
from windmill.kernels.audio.attribution import attribute
from windmill.kernels.audio.heard_words import HeardWord, spread, words_of_answer
from windmill.kernels.audio.pcm import RATE, Pcm
from windmill.kernels.audio.spans import grouped
from windmill.kernels.audio.speaker_turns import SpeakerTurn
from windmill.media.audio.wave_files import part, write_wave
from windmill.pipelines.audio.audio_files import read_json, spans_in

COUNTED = ("can", "we", "the")
TUNING: Sequence[TalkPlan] = (
    TalkPlan(("june", "carlo"), 16),
    TalkPlan(("june", "irina"), 16),
    TalkPlan(("awb", "rms"), 16),
    TalkPlan(("irina", "awb", "carlo"), 16),
    TalkPlan(("june", "irina", "awb", "rms"), 16),
)
VOICES = ("slt", "kal16", "allison")
SCENES: Mapping[str, TalkPlan] = {
    "2 voices": TalkPlan(VOICES[:2], 14),
    "3 voices": TalkPlan(VOICES, 18),
    "3 voices, noise 15 dB below": TalkPlan(VOICES, 18, noise=15),
    "3 voices, every 3rd turn overlaps": TalkPlan(VOICES, 18, overlap=0.33),
    "5 voices": TalkPlan(("slt", "kal16", "allison", "carlo", "rms"), 24),
}


@dataclass
class Heard:
    """What was heard of one talk, and how long that took. Mutable."""

    turns: list[SpeakerTurn] = field(default_factory=list)
    words: list[HeardWord] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


class Listener:
    """Asks the engine as the steps do."""

    def __init__(self, folder: Path, alike: float | None = None) -> None:
        entry = AudioEntry() if alike is None else AudioEntry(alike=alike)
        self.engine = AudioEngine("audio", entry, dict(os.environ))
        self.folder, self.asked = folder, 0

    async def ask(self, task: str, inputs: Mapping[str, Path], **given: float | str) -> Path:
        self.asked += 1
        request = EngineRequest(f"r{self.asked}", inputs, {"task": task, **given}, self.folder / str(self.asked))
        made = await self.engine.run(request, lambda _: None, asyncio.Event())
        return made.files[0].path

    async def hear(self, sound: Pcm, *, words: bool = True) -> Heard:
        heard, path = Heard(), write_wave(self.folder / "talk.wav", sound)
        started = time.perf_counter()
        speech = await self.ask("detect_speech", {"input": path})
        heard.seconds["vad"] = time.perf_counter() - started
        turns = await self.ask("diarise_speech", {"input": path, "speech": speech})
        heard.turns = [SpeakerTurn(**one) for one in read_json(turns)]
        heard.seconds["diarise"] = time.perf_counter() - started - heard.seconds["vad"]
        if words:
            started = time.perf_counter()
            for window in grouped(spans_in(read_json(speech)), 28.0, 0.8):
                heard.words += await self._words(sound, (max(0.0, window[0] - 0.2), window[1] + 0.2))
            heard.seconds["transcribe"] = time.perf_counter() - started
        return heard

    async def _words(self, sound: Pcm, span: tuple[float, float]) -> list[HeardWord]:
        cut = write_wave(self.folder / "window.wav", part(sound, span))
        answer = read_json(await self.ask("transcribe_speech", {"input": cut}, language="en"))
        found = words_of_answer(answer, span[1] - span[0])
        return [replace(word, t0=span[0] + word.t0, t1=span[0] + word.t1) for word in found]


def known_words(talk: MadeTalk) -> list[HeardWord]:
    """As a perfect recogniser would hear them; their times within a turn are a guess."""
    return [word for one in talk.spoken if one.text for word in spread(one.text.split(), one.turn.span)]


def counted(talk: MadeTalk, words: Sequence[HeardWord], turns: Sequence[SpeakerTurn]) -> float:
    """The error of the counts of some words by speaker, over the speakers of whom the words are known."""
    names = best_mapping(talk.turns, turns)
    known = {one.turn.speaker for one in talk.spoken if one.text}
    said = [(names.get(one.speaker, "?"), one.heard.word) for one in attribute(words, turns)]
    truth = counts_of([(one.turn.speaker, one.text) for one in talk.spoken if one.text])
    found = counts_of([one for one in said if one[0] in known or one[0] == "?"])
    return count_error(_wanted(truth), _wanted(found))


def _wanted(counts: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    return {key: count for key, count in counts.items() if key[1] in COUNTED}


def errors_of_words(talk: MadeTalk, words: Sequence[HeardWord]) -> tuple[int, int]:
    """Errors and words, over the turns of which the words are known."""
    wrong = total = 0
    for one in talk.spoken:
        if one.text:
            own = [word for word in words if one.turn.t0 - 0.3 <= (word.t0 + word.t1) / 2 <= one.turn.t1 + 0.3]
            truth = plain_words(one.text)
            wrong += word_errors(truth, plain_words(" ".join(word.word for word in own)))
            total += len(truth)
    return wrong, total


async def table(voices: Voices, listener: Listener, talks: int) -> None:
    header = ("talk", "s", "DER", "false", "missed", "confused", "DER .25", "speakers", "WER", "count", "perfect words")
    print(*header, sep=" | ")
    spent, length = dict[str, float](), 0.0
    for name, plan in SCENES.items():
        made = [make_talk(voices, replace(plan, seed=100 + number)) for number in range(talks)]
        heard = [await listener.hear(talk.sound) for talk in made]
        print(row(name, made, heard))
        length += sum(talk.seconds for talk in made)
        for one in heard:
            spent = {key: spent.get(key, 0.0) + value for key, value in one.seconds.items()}
    times = ", ".join(f"{name} {value / length:.3f}" for name, value in spent.items())
    print(f"of real time, by the clock, load {os.getloadavg()[0]:.1f}: {times}")


def row(name: str, made: Sequence[MadeTalk], heard: Sequence[Heard]) -> str:
    pairs = list(zip(made, heard, strict=True))
    strict = sum((diarisation_score(talk.turns, one.turns) for talk, one in pairs), DiarisationScore())
    collar = sum((diarisation_score(talk.turns, one.turns, 0.25) for talk, one in pairs), DiarisationScore())
    off = [speakers(one.turns) - speakers(talk.turns) for talk, one in pairs]
    errors = [errors_of_words(talk, one.words) for talk, one in pairs]
    wer = sum(wrong for wrong, _ in errors) / max(1, sum(total for _, total in errors))
    count = np.mean([counted(talk, one.words, one.turns) for talk, one in pairs])
    perfect = np.mean([counted(talk, known_words(talk), one.turns) for talk, one in pairs])
    parts = [part / strict.speech for part in (strict.false_alarm, strict.missed, strict.confused)]
    figures = [strict.rate, *parts, collar.rate]
    seconds = sum(talk.seconds for talk in made)
    told = " ".join(f"{one:+d}" for one in off)
    first, last = [f"{one:.3f}" for one in figures], [f"{one:.3f}" for one in (wer, count, perfect)]
    return " | ".join([name, f"{seconds:.0f}", *first, told, *last])


def speakers(turns: Sequence[SpeakerTurn]) -> int:
    return len({turn.speaker for turn in turns})


async def nothing_said(listener: Listener) -> None:
    """Silence, noise and music: how many words are heard."""
    times = np.arange(40 * RATE) / RATE
    chords = sum(np.sin(2 * np.pi * pitch * (1 + (times // 2 % 4) / 8) * times) for pitch in (220, 277, 330))
    sounds = {
        "silence": np.zeros(40 * RATE),
        "noise": np.random.default_rng(3).normal(0, 900, 40 * RATE),
        "music": chords * 3_000 * (0.6 + 0.4 * np.sin(2 * np.pi * 2 * times)),
    }
    for name, sound in sounds.items():
        heard = await listener.hear(np.asarray(sound, np.int16))
        print(f"{name}: {len(heard.words)} words, {len(heard.turns)} turns")


async def tune(voices: Voices, folder: Path) -> None:
    made = [make_talk(voices, replace(plan, seed=number)) for number, plan in enumerate(TUNING, 1)]
    for alike in (0.76, 0.78, 0.8, 0.82, 0.84):
        listener, score, off = Listener(folder, alike), DiarisationScore(), []
        for talk in made:
            heard = await listener.hear(talk.sound, words=False)
            score += diarisation_score(talk.turns, heard.turns)
            off.append(speakers(heard.turns) - speakers(talk.turns))
        await listener.engine.close()
        print(f"alike {alike}: DER {score.rate:.3f}, speakers {off}")


async def measure(options: argparse.Namespace) -> None:
    voices = open_voices(voices_cache(), print)
    with tempfile.TemporaryDirectory(prefix="windmill-bench-") as name:
        if options.tune:
            await tune(voices, Path(name))
            return
        listener = Listener(Path(name))
        await table(voices, listener, options.talks)
        await nothing_said(listener)
        await listener.engine.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--talks", type=int, default=2, help="of each kind (%(default)s)")
    asyncio.run(measure(parser.parse_args()))
