"""The documents that steps on recordings hand to each other, as files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from windmill.core.errors import WindmillError
from windmill.core.settings import load_settings
from windmill.engines.engine import ProducedFile
from windmill.jobs.step import RunningTask
from windmill.kernels.audio.pcm import Pcm
from windmill.kernels.audio.spans import Span
from windmill.kernels.audio.speaker_turns import SpeakerTurn
from windmill.media.audio.decoding import AudioTools, open_audio_tools
from windmill.media.audio.wave_files import MEDIA_TYPE, open_wave

TALK_WAVE, TALK, SPEECH, TURNS, WORDS = "talk.wav", "talk.json", "speech.json", "turns.json", "words.json"
TRANSCRIPT, SAMPLES = "transcript.json", "samples.json"


def configured_audio_tools() -> AudioTools:
    return open_audio_tools(load_settings())


def json_file(folder: Path, name: str, document: object) -> ProducedFile:
    """Write a document."""
    path = folder / name
    path.write_bytes(orjson.dumps(document))
    return ProducedFile(name, path, "application/json")


def wave_file(path: Path) -> ProducedFile:
    return ProducedFile(path.name, path, MEDIA_TYPE)


def read_json(path: Path) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(path.read_bytes())


def only(task: RunningTask, name: str, suffix: str) -> Path:
    """The one file of an input with this suffix."""
    found = [path for path in task.files.get(name, ()) if path.suffix == suffix]
    if len(found) != 1:
        raise WindmillError("USAGE", f"the input {name} has {len(found)} files that end in {suffix}, and needs one")
    return found[0]


def talk_of(task: RunningTask) -> Pcm:
    return open_wave(only(task, "talk", ".wav"))


def spans_in(document: Sequence[Sequence[float]]) -> list[Span]:
    return [(float(start), float(end)) for start, end in document]


def rounded(spans: Sequence[Span]) -> list[list[float]]:
    """To milliseconds, as they are written down."""
    return [[round(start, 3), round(end, 3)] for start, end in spans]


def turns_in(task: RunningTask) -> list[SpeakerTurn]:
    return [SpeakerTurn(**one) for one in read_json(only(task, "turns", ".json"))]
