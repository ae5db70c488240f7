"""Talk on this machine, from voices to counts: python -m dev.demo_audio

Makes a talk of three voices on the spot (prompts that somebody has recorded, and a synthesiser, both out of Debian's
packages, unpacked in the user's cache), cuts it into chunks, and sends them to a gateway out of order and one of them
twice. A worker hears who said what; the demo prints speakers, words and counts beside what was really said. The small
recogniser knows English only, so English words are counted, by a list that the demo writes.
It starts private servers unless they run, has a database of its own, and stops what it started.
"""

import argparse
import asyncio
import io
import json
import random
import sys
import time
import urllib.request
import uuid
import wave
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dev.demo import LOCAL, private_servers, say
from dev.programs import Interrupted, ProgramFailed, ProgramRunner
from dev.servers import databases, ports
from dev.servers.debian_packages import CannotUnpack
from dev.voices.speakers import open_voices, voices_cache
from dev.voices.talks import MadeTalk, TalkPlan, make_talk
from windmill.core.settings import ROOT, Settings, defaults, named_by_user
from windmill.engines.audio.libraries import INSTALL, INSTALL_VOICES, is_installed
from windmill.kernels.audio.pcm import RATE, Pcm
from windmill.kernels.text.tables import render_table
from windmill.process.runner import DONE, FAILED, INTERRUPTED, run

HOME = ROOT / "var" / "demo-audio"
DATABASE, PREFIX = "windmill_demo_audio", "demo_audio_"
PLAN = TalkPlan(("slt", "kal16", "allison"), 10, seed=7)
CHUNK_SECONDS = 6
LIST = "demo_words"
COUNTED = ("the", "can", "we", "train", "house", "home", "bus", "work", "day")
POLL_SECONDS, PATIENCE = 0.5, 300.0
_OVER = ("ready_for_claiming", "completed", "failed")


class Sessions:
    """The routes of a gateway on this machine. It blocks: call it in a thread."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Any:  # noqa: ANN401
        headers = {"Content-Type": kind, "Windmill-Request": "1"}
        asked = urllib.request.Request(self._url + path, body, headers, method=method)  # noqa: S310 - our own gateway
        with urllib.request.urlopen(asked, timeout=60) as reply:  # noqa: S310
            return json.load(reply)

    def send(self, session: str, number: int, sound: bytes) -> Any:  # noqa: ANN401 - any JSON
        mark = uuid.uuid4().hex
        head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{number}.wav"\r\n\r\n'
        body = head.encode() + sound + f"\r\n--{mark}--\r\n".encode()
        return self.ask("PUT", f"/sessions/{session}/chunks/{number}", body, f"multipart/form-data; boundary={mark}")


def wave_bytes(sound: Pcm) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.astype("<i2").tobytes())
    return made.getvalue()


def write_list(presets: Path) -> Path:
    """The list of words that are counted, where the gateway and the worker look for lists."""
    words = [{"word": word, "category": "colloquial"} for word in COUNTED]
    target = presets / "words" / f"{LIST}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"name": LIST, "version": 1, "rules": [], "words": words}))
    return presets


async def main(stop: asyncio.Event, state: Path) -> int:
    if not is_installed():
        sys.stderr.write(f"the demo needs models that listen: {INSTALL}, and {INSTALL_VOICES}\n")
        return FAILED
    started = time.monotonic()
    try:
        talk = make_talk(open_voices(voices_cache(), say), PLAN)
        say(f"talk\n  {talk.seconds:.0f} s of {len(PLAN.voices)} voices, {len(talk.spoken)} turns")
        with private_servers(state) as addresses:
            port = next(port for port in range(18_000, 19_000) if ports.is_free(port))
            environ = {**defaults(), **addresses, "DB_NAME": DATABASE, "QUEUE_PREFIX": PREFIX}
            environ |= {"ARTIFACTS_URL": str(HOME / "artifacts"), "GATEWAY_PORT": str(port)}
            environ |= {"PRESETS_DIR": str(write_list(HOME / "presets"))}
            settings = Settings.from_env(environ)
            async with ProgramRunner({**named_by_user(), **environ}, HOME, stop) as programs:
                await databases.drop(settings, DATABASE)
                await databases.create(settings, DATABASE)
                heard = await hear(programs, port, talk)
    except (ProgramFailed, CannotUnpack) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    except Interrupted:
        return INTERRUPTED
    say(f"{time.monotonic() - started:.0f} s in all; sound and transcripts: {HOME}")
    return DONE if heard else FAILED


async def hear(programs: ProgramRunner, port: int, talk: MadeTalk) -> bool:
    say(f"tables\n  {await programs.run('-m', 'windmill', 'migrate')}")
    programs.start("gateway", "-m", "gateway")
    programs.start("worker", "-m", "workers.jobs", STEPS="all")
    await programs.until_listening("gateway", [port])
    sessions = Sessions(port)
    session = await asyncio.to_thread(record, sessions, talk.sound)
    ended = await until_heard(programs, sessions, session)
    say(f"session {session}: {ended['status']}, {ended['duration_seconds']} s")
    if ended["status"] == "failed":
        say(f"  {ended['error_message']}")
        return False
    await asyncio.to_thread(show, sessions, session, talk)
    return True


def record(sessions: Sessions, sound: Pcm) -> str:
    """Send the chunks out of order, and one of them twice."""
    session = sessions.ask("POST", "/sessions", json.dumps({"words": LIST}).encode())["id"]
    size = CHUNK_SECONDS * RATE
    chunks = [wave_bytes(sound[start : start + size]) for start in range(0, len(sound), size)]
    order = list(range(len(chunks)))
    random.Random(3).shuffle(order)
    for number in [*order, order[0]]:
        answer = sessions.send(session, number, chunks[number])
        say(f"  chunk {number}{': it was there' if answer['duplicate'] else ''}")
    sessions.ask("POST", f"/sessions/{session}/end", json.dumps({"expected_chunks": len(chunks)}).encode())
    return str(session)


async def until_heard(programs: ProgramRunner, sessions: Sessions, session: str) -> Any:  # noqa: ANN401 - any JSON
    before, until = None, time.monotonic() + PATIENCE
    while time.monotonic() < until:
        programs.check()
        found = await asyncio.to_thread(partial(sessions.ask, "GET", f"/sessions/{session}"))
        if before != (before := (found["progress"], found["stage"])):
            say(f"  {found['progress']:3d} % {found['stage']}")
        if found["status"] in _OVER:
            return found
        await asyncio.sleep(POLL_SECONDS)
    raise ProgramFailed(f"the session was not heard within {PATIENCE:.0f} s; the logs are in {HOME}")


def show(sessions: Sessions, session: str, talk: MadeTalk) -> None:
    """Who was heard, what they said, and what was really said."""
    speakers = sessions.ask("GET", f"/sessions/{session}/speakers")["speakers"]
    words = sessions.ask("GET", f"/sessions/{session}/transcript?format=json")["words"]
    rows = [_row(one, words) for one in speakers]
    say("\n" + render_table(["speaker", "turns", "s", "words", "counted"], rows))
    said = [[one.turn.speaker, one.text or "(a recorded prompt)"] for one in talk.spoken]
    heard = [_heard(words, one.turn.t0, one.turn.t1) for one in talk.spoken]
    lines = [[*row, *other] for row, other in zip(said, heard, strict=True)]
    say("\n" + render_table(["voice", "said", "heard as", "heard"], lines))
    show_counts(speakers, words, talk)


def show_counts(speakers: Sequence[Any], words: Sequence[Any], talk: MadeTalk) -> None:
    """How often each wanted word was said, as far as that is known, and how often it was counted."""
    said, counted = said_counts(talk), counted_by_voice(speakers, words, talk)
    known = {one.turn.speaker for one in talk.spoken if one.text}
    keys = sorted({*said, *counted}, key=lambda key: (key[0] not in known, *key))
    rows = [[*key, said[key] if key[0] in known else "not known", counted[key]] for key in keys]
    say("\n" + render_table(["voice", "word", "said", "counted"], rows))
    wrong = sum(abs(said[key] - counted[key]) for key in keys if key[0] in known)
    say(f"{said.total()} wanted words were said by voices whose words are known; {wrong} of them counted wrongly")


Counts = Counter[tuple[str, str]]
"""By voice and word."""


def said_counts(talk: MadeTalk) -> Counts:
    """Of the voices whose words are known."""
    said = ((one.turn.speaker, word) for one in talk.spoken for word in (one.text or "").split())
    return Counter(key for key in said if key[1] in COUNTED)


def counted_by_voice(speakers: Sequence[Any], words: Sequence[Any], talk: MadeTalk) -> Counts:
    """The counts of each speaker that was heard, under the voice that it mostly is."""
    found: Counts = Counter()
    for speaker in speakers:
        own = [word for word in words if word["speaker"] == speaker["speaker_label"]]
        voice = _voice_of(own, talk)
        found.update({(voice, one["word"]): one["count"] for one in speaker["word_counts"]})
    return found


def _voice_of(words: Sequence[Any], talk: MadeTalk) -> str:
    middles = [(word["t0"] + word["t1"]) / 2 for word in words]
    spoke = Counter(turn.speaker for turn in talk.turns for at in middles if turn.t0 - 0.3 <= at <= turn.t1 + 0.3)
    return spoke.most_common(1)[0][0] if spoke else "nobody"


def _row(speaker: Any, words: Sequence[Any]) -> list[Any]:  # noqa: ANN401 - any JSON
    own = sum(word["speaker"] == speaker["speaker_label"] for word in words)
    counts = " ".join(f"{one['word']} {one['count']}" for one in speaker["word_counts"])
    return [speaker["speaker_label"], speaker["segment_count"], speaker["total_duration_seconds"], own, counts]


def _heard(words: Sequence[Any], start: float, end: float) -> list[str]:
    own = [word for word in words if start - 0.3 <= (word["t0"] + word["t1"]) / 2 <= end + 0.3]
    return [" ".join(sorted({word["speaker"] for word in own})), " ".join(word["word"] for word in own)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m dev.demo_audio", description=__doc__)
    parser.add_argument("--state", type=Path, default=LOCAL, metavar="DIR", help="of the servers (var/local)")
    options = parser.parse_args()
    sys.exit(run(lambda _, stop: main(stop, options.state)))
