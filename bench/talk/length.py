"""What a talk costs by its length: python bench/talk/length.py [--minutes 1 5 15 30 180] [--words-of 30]

A talk of three voices is made once and repeated until it is long enough. Its chunks of half a minute are joined, speech
is found, speakers are told apart, and words are written down, as the steps of a job do it, with the engine `audio` on
one thread. Times are by the clock and in seconds of CPU, memory is the most that a process has ever had (VmHWM). With
`--words-of` only the first minutes are written down: of words each piece is a task of its own, so length adds nothing.
"""

import argparse
import asyncio
import contextlib
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from bench.talk.accuracy import Listener, speakers
from dev.voices.speakers import open_voices, voices_cache
from dev.voices.talks import TalkPlan, make_talk
from windmill.kernels.audio.pcm import RATE, Pcm
from windmill.kernels.audio.spans import grouped
from windmill.kernels.audio.speaker_turns import SpeakerTurn
from windmill.media.audio.decoding import AudioTools
from windmill.media.audio.joining import ChunkFile, join_chunks
from windmill.media.audio.wave_files import open_wave, part, write_wave
from windmill.pipelines.audio.audio_files import configured_audio_tools, read_json, spans_in

PLAN = TalkPlan(("slt", "kal16", "allison"), 24, seed=31)
CHUNK_SECONDS = 30


@dataclass(frozen=True)
class SentChunk:
    """A chunk of which the recorder told nothing but its number."""

    number: int
    start_ms: int | None = None
    duration_ms: int | None = None

    @property
    def sha256(self) -> str:
        return str(self.number)


class Watch(threading.Thread):
    """Looks at this process and all that come of it ten times a second: what each had of CPU and memory at most."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._ticks: dict[int, int] = {}
        self._peaks_kb: dict[int, int] = {}
        self.start()

    def run(self) -> None:
        while True:
            self.look()
            time.sleep(0.1)

    def look(self) -> None:
        for pid in family(os.getpid()):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                self._ticks[pid] = int(fields[11]) + int(fields[12])
                said = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
                self._peaks_kb[pid] = int(said[1]) if said else 0

    def moment(self) -> tuple[float, float]:
        """By the clock, and the CPU so far."""
        self.look()
        return time.monotonic(), sum(self._ticks.values()) / os.sysconf("SC_CLK_TCK")

    def forget_others(self) -> None:
        """From now on the peaks are those of processes that begin now."""
        self._peaks_kb = {}

    def peaks_mb(self) -> tuple[float, float]:
        """Of this process, and of the largest of the others."""
        own = self._peaks_kb.get(os.getpid(), 0)
        others = [peak for pid, peak in self._peaks_kb.items() if pid != os.getpid()]
        return own / 1024, max(others, default=0) / 1024


def family(pid: int) -> Iterator[int]:
    """The process, its children, and theirs."""
    yield pid
    with contextlib.suppress(OSError):
        for file in list(Path(f"/proc/{pid}/task").glob("*/children")):
            for child in file.read_text().split():
                yield from family(int(child))


@dataclass
class Spent:
    """Seconds of each step, by the clock and of CPU. Mutable."""

    watch: Watch
    clock: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)

    def note(self, step: str, began: tuple[float, float]) -> None:
        now = self.watch.moment()
        self.clock[step] = self.clock.get(step, 0.0) + now[0] - began[0]
        self.cpu[step] = self.cpu.get(step, 0.0) + now[1] - began[1]


def repeated(sound: Pcm, seconds: float) -> Iterator[Pcm]:
    """The sound again and again, in chunks."""
    size, whole = CHUNK_SECONDS * RATE, round(seconds * RATE)
    for start in range(0, whole, size):
        yield np.take(sound, np.arange(start, min(start + size, whole)), mode="wrap")


async def long_talk(
    watch: Watch, listener: Listener, tools: AudioTools, sound: Pcm, minutes: float, words_of: float
) -> list[str]:
    spent, folder = Spent(watch), listener.folder
    chunks = [
        ChunkFile(SentChunk(number), write_wave(folder / f"chunk{number}.wav", one))
        for number, one in enumerate(repeated(sound, minutes * 60))
    ]
    began = watch.moment()
    talk = join_chunks(tools, chunks, folder, lambda _: None)
    spent.note("join", began)
    began = watch.moment()
    speech = await listener.ask("detect_speech", {"input": talk.path})
    spent.note("find speech", began)
    began = watch.moment()
    turns = await listener.ask("diarise_speech", {"input": talk.path, "speech": speech})
    spent.note("tell apart", began)
    began = watch.moment()
    for start, end in grouped(spans_in(read_json(speech)), 28.0, 0.8):
        if start < words_of * 60:
            cut = write_wave(folder / "window.wav", part(open_wave(talk.path), (start, end)))
            await listener.ask("transcribe_speech", {"input": cut}, language="en")
    spent.note("write down", began)
    heard = speakers([SpeakerTurn(**one) for one in read_json(turns)])
    return told(minutes, min(words_of, minutes), spent, heard)


def told(minutes: float, written: float, spent: Spent, heard: int) -> list[str]:
    """A row of the table."""
    times = [f"{spent.clock[step]:.0f} ({spent.cpu[step]:.0f})" for step in spent.clock]
    whole, cpu = sum(spent.clock.values()), sum(spent.cpu.values())
    own, engine = spent.watch.peaks_mb()
    return [
        *(f"{minutes:g}", f"{written:g}", *times, f"{whole:.0f} ({cpu:.0f})", str(heard)),
        *(f"{own:.0f}", f"{engine:.0f}"),
    ]


async def measure(lengths: Sequence[float], words_of: float) -> None:
    sound, watch = make_talk(open_voices(voices_cache(), print), PLAN).sound, Watch()
    steps = ("join", "find speech", "tell apart", "write down", "in all")
    heads = ("min", "of which written down", *steps, "voices", "MB", "MB of the engine")
    print("seconds by the clock, and of CPU in brackets")
    print(*heads, sep=" | ")
    for minutes in lengths:
        with tempfile.TemporaryDirectory(prefix="windmill-bench-") as name:
            watch.forget_others()
            listener = Listener(Path(name))
            row = await long_talk(watch, listener, configured_audio_tools(), sound, minutes, words_of)
            await listener.engine.close()
        print(*row, sep=" | ", flush=True)
    print(f"load {os.getloadavg()[0]:.1f}, nice {os.nice(0)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 5, 15, 30])
    parser.add_argument("--words-of", type=float, default=30, metavar="MINUTES", help="(%(default)g)")
    options = parser.parse_args()
    asyncio.run(measure(options.minutes, options.words_of))
