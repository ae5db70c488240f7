"""How well talk is heard: python bench/talk/accuracy.py [--talks 2] [--more 10] [--seed 100] [--only noise]
[--model FOLDER] [--tune]

Talks of several voices are made of recorded prompts and of sentences by a synthesiser (dev/voices), so speakers, words
and times are known. Each goes through the steps as a job would take it, with the engine `audio`. Rows that put a
perfect recogniser in place of ours tell whose errors they are. No other row is told anything.

`--more` talks of each kind are heard for their speakers only, which takes a quarter of the time; `--talks 0` has no
others. `--only` hears the kinds with this in their name, and `--model` has another Whisper write down words. `--tune`
tries thresholds on other voices than the tables are made of.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from bench.talk.scenes import SCENES, TUNING, VULGAR_SCENES
from bench.talk.scores import (
    DiarisationScore,
    best_mapping,
    count_error,
    counts_of,
    diarisation_score,
    plain_words,
    word_errors,
)
from bench.talk.tuning import tuning_talks, tuning_voices
from bench.talk.vulgar import VulgarScore, vulgar_score
from dev.voices.speakers import Voices, open_voices, voices_cache
from dev.voices.talks import MadeTalk, TalkPlan, make_talk
from windmill.engines.audio.engine import AudioEngine
from windmill.engines.engine import EngineRequest
from windmill.engines.entries import AudioEntry
from windmill.kernels.audio.attribution import attribute
from windmill.kernels.audio.heard_words import HeardWord, spread, words_of_answer
from windmill.kernels.audio.pcm import RATE, Pcm
from windmill.kernels.audio.spans import grouped
from windmill.kernels.audio.speaker_clusters import ClusterRules
from windmill.kernels.audio.speaker_turns import SpeakerTurn
from windmill.media.audio.wave_files import part, write_wave
from windmill.pipelines.audio.audio_files import read_json, spans_in
from windmill.pipelines.audio.forms import DEFAULT_WORDS
from windmill.pipelines.audio.word_lists import SHIPPED, find_word_list

COUNTED = ("can", "we", "the")
SOUNDS = [asdict(sound) for sound in find_word_list(DEFAULT_WORDS, SHIPPED).sounds]


@dataclass
class Heard:
    """What was heard of one talk, and how long that took. Mutable."""

    turns: list[SpeakerTurn] = field(default_factory=list)
    words: list[HeardWord] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


class Listener:
    """Asks the engine as the steps do."""

    def __init__(self, folder: Path, entry: AudioEntry | None = None) -> None:
        self.engine = AudioEngine("audio", entry or AudioEntry(), dict(os.environ))
        self.folder, self.asked = folder, 0

    async def ask(self, task: str, inputs: Mapping[str, Path], **given: object) -> Path:
        self.asked += 1
        parameters: dict[str, Any] = {"task": task, **given}
        request = EngineRequest(f"r{self.asked}", inputs, parameters, self.folder / str(self.asked))
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
        answer = read_json(await self.ask("transcribe_speech", {"input": cut}, language="en", sounds=SOUNDS))
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


@dataclass(frozen=True)
class HeardTalks:
    """Talks of one kind, and what was heard of each."""

    name: str
    made: Sequence[MadeTalk]
    heard: Sequence[Heard]

    @property
    def seconds(self) -> float:
        return sum(talk.seconds for talk in self.made)

    @property
    def pairs(self) -> Sequence[tuple[MadeTalk, Heard]]:
        return list(zip(self.made, self.heard, strict=True))


async def hear_talks(
    voices: Voices, listener: Listener, name: str, plan: TalkPlan, seeds: Sequence[int], *, words: bool = True
) -> HeardTalks:
    made = [make_talk(voices, replace(plan, seed=seed)) for seed in seeds]
    return HeardTalks(name, made, [await listener.hear(talk.sound, words=words) for talk in made])


def kinds(plans: Mapping[str, TalkPlan], only: str) -> Mapping[str, TalkPlan]:
    return {name: plan for name, plan in plans.items() if only in name}


async def table(voices: Voices, listener: Listener, seeds: Sequence[int], only: str) -> list[HeardTalks]:
    header = ("talk", "s", "DER", "false", "missed", "confused", "DER .25", "speakers", "WER", "count", "perfect words")
    print(*header, sep=" | ")
    found = []
    for name, plan in kinds(SCENES, only).items():
        found.append(await hear_talks(voices, listener, name, plan, seeds))
        print(row(found[-1]), flush=True)
    length, spent = sum(one.seconds for one in found) or 1.0, dict[str, float]()
    for heard in (one for kind in found for one in kind.heard):
        spent = {key: spent.get(key, 0.0) + value for key, value in heard.seconds.items()}
    times = ", ".join(f"{name} {value / length:.3f}" for name, value in spent.items())
    print(f"of real time, by the clock, load {os.getloadavg()[0]:.1f}: {times}")
    return found


def vulgar_row(kind: HeardTalks) -> str:
    """With our recogniser, and with a perfect one."""
    listed = find_word_list(DEFAULT_WORDS, SHIPPED)
    ours, perfect = VulgarScore(), VulgarScore()
    for talk, one in kind.pairs:
        ours += vulgar_score(talk, one.words, one.turns, listed)
        perfect += vulgar_score(talk, known_words(talk), one.turns, listed)
    figures = (kind.name, f"{kind.seconds:.0f}", ours.said, ours.counted, ours.right, perfect.counted, perfect.right)
    return " | ".join(map(str, figures))


async def vulgar_table(
    voices: Voices, listener: Listener, seeds: Sequence[int], only: str, before: Sequence[HeardTalks]
) -> None:
    """Over the talks that were heard `before` as well: nobody says a vulgar word in them."""
    print("talk | s | vulgar words said | counted | right | counted of perfect words | right", flush=True)
    for kind in before:
        print(vulgar_row(kind))
    for name, plan in kinds(VULGAR_SCENES, only).items():
        print(vulgar_row(await hear_talks(voices, listener, name, plan, seeds)), flush=True)


async def speakers_table(voices: Voices, listener: Listener, seeds: Sequence[int], only: str) -> None:
    """How often the number of speakers is right, over more talks than words are written down of."""
    print("talk | talks | s | DER | false | missed | confused | right | speakers", flush=True)
    right, plans = 0, kinds(SCENES, only)
    for name, plan in plans.items():
        kind = await hear_talks(voices, listener, name, plan, seeds, words=False)
        score = sum((diarisation_score(talk.turns, one.turns) for talk, one in kind.pairs), DiarisationScore())
        off = speakers_off(kind)
        right += off.count(0)
        parts = [part / score.speech for part in (score.false_alarm, score.missed, score.confused)]
        figures = " | ".join(f"{one:.3f}" for one in (score.rate, *parts))
        told = " ".join(f"{one:+d}" for one in off if one) or "-"
        print(f"{name} | {len(seeds)} | {kind.seconds:.0f} | {figures} | {off.count(0)} | {told}", flush=True)
    print(f"the number of speakers is right in {right} of {len(seeds) * len(plans)} talks")


def speakers_off(kind: HeardTalks) -> list[int]:
    """How many too many, or too few, in each talk."""
    return [speakers(one.turns) - speakers(talk.turns) for talk, one in kind.pairs]


def row(kind: HeardTalks) -> str:
    pairs = kind.pairs
    strict = sum((diarisation_score(talk.turns, one.turns) for talk, one in pairs), DiarisationScore())
    collar = sum((diarisation_score(talk.turns, one.turns, 0.25) for talk, one in pairs), DiarisationScore())
    errors = [errors_of_words(talk, one.words) for talk, one in pairs]
    wer = sum(wrong for wrong, _ in errors) / max(1, sum(total for _, total in errors))
    count = np.mean([counted(talk, one.words, one.turns) for talk, one in pairs])
    perfect = np.mean([counted(talk, known_words(talk), one.turns) for talk, one in pairs])
    parts = [part / strict.speech for part in (strict.false_alarm, strict.missed, strict.confused)]
    figures = [strict.rate, *parts, collar.rate]
    told = " ".join(f"{one:+d}" for one in speakers_off(kind))
    first, last = [f"{one:.3f}" for one in figures], [f"{one:.3f}" for one in (wer, count, perfect)]
    return " | ".join([kind.name, f"{kind.seconds:.0f}", *first, told, *last])


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
    print(
        "alike | quiet: too few, right, too many of 120 | and of 40 with a guest of one sentence | of two | with noise"
    )
    sets = [one for noise in (None, 15) for one in tuning_talks(tuning_voices(voices, noise))]
    for alike in (0.76, 0.78, 0.79, 0.8, 0.82):
        told = [[one.found(ClusterRules(alike=alike)) - one.speakers for one in talks] for talks in sets]
        print(alike, *(f"{few_right_many(off)}" for off in told), sep=" | ", flush=True)
    made = [make_talk(voices, replace(plan, seed=number)) for number, plan in enumerate(TUNING, 1)]
    for alike in (0.76, 0.78, 0.79, 0.8, 0.82):
        listener, score, off = Listener(folder, AudioEntry(alike=alike)), DiarisationScore(), []
        for talk in made:
            heard = await listener.hear(talk.sound, words=False)
            score += diarisation_score(talk.turns, heard.turns)
            off.append(speakers(heard.turns) - speakers(talk.turns))
        await listener.engine.close()
        print(f"alike {alike}: DER {score.rate:.3f}, speakers {off}", flush=True)


def few_right_many(off: Sequence[int]) -> str:
    return " ".join(str(sum(np.sign(one) == side for one in off)) for side in (-1, 0, 1))


async def measure(options: argparse.Namespace) -> None:
    voices = open_voices(voices_cache(), print, "many-voices" if options.tune else "more-voices")
    with tempfile.TemporaryDirectory(prefix="windmill-bench-") as name:
        if options.tune:
            await tune(voices, Path(name))
            return
        listener = Listener(Path(name), AudioEntry(model=options.model))
        few, many = (range(options.seed, options.seed + count) for count in (options.talks, options.more))
        if few:
            heard = await table(voices, listener, few, options.only)
            await vulgar_table(voices, listener, few, options.only, heard)
        if many:
            await speakers_table(voices, listener, many, options.only)
        if not options.only:
            await nothing_said(listener)
        await listener.engine.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--talks", type=int, default=2, help="of each kind (%(default)s)")
    parser.add_argument("--more", type=int, default=10, help="of each kind of which only speakers are told apart")
    parser.add_argument("--only", default="", metavar="TEXT", help="kinds of talk with this in their name")
    parser.add_argument("--model", default="", metavar="FOLDER", help="of a Whisper for CTranslate2")
    parser.add_argument("--seed", type=int, default=100, help="of the first talk of each kind (%(default)s)")
    asyncio.run(measure(parser.parse_args()))
