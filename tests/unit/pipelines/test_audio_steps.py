"""The steps on recordings, from a file to who said what. Speech is tones, which the engines of these tests hear."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dev.farm.audio.tones import HUMS, say
from tests.unit.kernels.talk_text import SINGLISH
from tests.unit.pipelines.audio_run import HEARS, AudioRun, ToneEngines
from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineRequest
from windmill.kernels.audio.pcm import RATE, Pcm
from windmill.kernels.audio.word_sounds import WordSound
from windmill.media.audio.wave_files import open_wave, write_wave
from windmill.pipelines.audio.diarise import turns_of_answer
from windmill.pipelines.audio.transcribe import AudioTranscribe
from windmill.pipelines.audio.vad import spans_of_answer

TALK = [(0, ["lah", "makan", "kopi"]), (1, ["shiok", "sia"]), (0, ["meh"]), (2, ["alamak", "lor", "lah", "lah"])]


def silence(seconds: float) -> Pcm:
    return np.zeros(round(seconds * RATE), np.int16)


def talk(folder: Path, pause: float = 0.7) -> Path:
    parts = [part for speaker, words in TALK for part in (silence(pause), say(words, speaker))]
    return write_wave(folder / "given.wav", np.concatenate([*parts, silence(pause)]))


async def heard(
    folder: Path, path: Path, engines: ToneEngines | None = None, *names: str, **of_vad: object
) -> AudioRun:
    run = AudioRun(folder / "run", engines or ToneEngines())
    await run.join(path)
    await run.listen(names or ("tones",), **of_vad)
    return run


async def test_a_talk_becomes_words_with_times_and_speakers_and_a_sample_of_each(tmp_path: Path) -> None:
    run = await heard(tmp_path, talk(tmp_path))
    transcript = run.document("audio_attribute", "transcript.json")
    expected = [(f"SPEAKER_0{speaker}", word) for speaker, words in TALK for word in words]
    assert [(one["speaker"], one["word"]) for one in transcript["words"]] == expected
    assert transcript["words"][0]["t0"] == pytest.approx(0.7, abs=0.05)
    assert set(transcript["words"][0]) == {"t0", "t1", "word", "confidence", "alternatives", "speaker"}
    assert [(one["label"], one["segments"]) for one in transcript["speakers"]] == [
        ("SPEAKER_00", 2), ("SPEAKER_01", 1), ("SPEAKER_02", 1),
    ]  # fmt: skip
    samples = run.document("audio_samples", "samples.json")
    assert [one["speaker"] for one in samples] == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_02"]
    (cut,) = run.results["audio_samples"]
    assert cut.output["starts"] == {f"sample_{one['speaker']}.wav": one["t0"] for one in samples}
    for number, path in enumerate(one for one in run.files("audio_samples") if one.suffix == ".wav"):
        assert path.name == f"sample_SPEAKER_0{number}.wav"
        spectrum = np.abs(np.fft.rfft(open_wave(path).astype(float)))
        hertz = np.fft.rfftfreq(len(open_wave(path)), 1 / RATE)
        loudness = [spectrum[np.abs(hertz - hum) < 5].max() for hum in HUMS]
        assert int(np.argmax(loudness)) == number  # nobody else is to be heard
        assert loudness[number] > 20 * max(other for place, other in enumerate(loudness) if place != number)
        assert len(open_wave(path)) / RATE == pytest.approx(samples[number]["t1"] - samples[number]["t0"], abs=0.002)


async def test_the_documents_are_those_that_other_programs_read(tmp_path: Path) -> None:
    run = await heard(tmp_path, talk(tmp_path))
    joined = run.document("audio_join", "talk.json")
    assert {"duration", "gaps", "loudness", "clipped"} <= set(joined)
    assert all(len(one) == 2 for one in run.document("audio_vad", "speech.json"))
    assert set(run.document("audio_diarise", "turns.json")[0]) == {"speaker", "t0", "t1"}
    assert {"t0", "t1", "word", "confidence", "alternatives"} == set(run.document("audio_transcribe", "words.json")[0])


async def test_a_long_talk_is_transcribed_in_pieces_that_give_the_same_words(tmp_path: Path) -> None:
    words = ["lah", "lor", "meh", "sia"] * 20
    parts = [part for number in range(0, 80, 4) for part in (say(words[number : number + 4]), silence(1.0))]
    run = await heard(tmp_path, write_wave(tmp_path / "long.wav", np.concatenate(parts)), piece_seconds=10)
    assert len(run.results["audio_transcribe"]) > 1
    transcript = run.document("audio_attribute", "transcript.json")
    assert [one["word"] for one in transcript["words"]] == words
    gaps = np.diff([one["t0"] for one in transcript["words"]])
    assert gaps.min() == pytest.approx(0.38, abs=0.04)


async def test_silence_has_no_words_and_nobody_speaks(tmp_path: Path) -> None:
    run = await heard(tmp_path, write_wave(tmp_path / "silence.wav", silence(20)))
    assert run.document("audio_attribute", "transcript.json") == {"speakers": [], "words": []}
    assert run.document("audio_samples", "samples.json") == []
    assert "the recording is very quiet: -120 dB" in run.warnings


async def test_the_engine_without_a_model_says_what_it_has_not_heard(tmp_path: Path) -> None:
    run = await heard(tmp_path, talk(tmp_path), None, "default")
    transcript = run.document("audio_attribute", "transcript.json")
    assert ([one["label"] for one in transcript["speakers"]], transcript["words"]) == (["SPEAKER_00"], [])
    assert any("no word was written down" in one for one in run.warnings)
    assert any("given to one speaker" in one for one in run.warnings)


async def test_a_diariser_that_is_not_there_loses_no_transcript_and_the_job_says_so(tmp_path: Path) -> None:
    engines = ToneEngines(fails={("tones", "diarise_speech"): "DEPENDENCY_MISSING"})
    run = await heard(tmp_path, talk(tmp_path), engines, "tones", "default")
    transcript = run.document("audio_attribute", "transcript.json")
    assert [one["word"] for one in transcript["words"]] == [word for _, words in TALK for word in words]
    assert {one["speaker"] for one in transcript["words"]} == {"SPEAKER_00"}
    assert "default was used instead of tones: DEPENDENCY_MISSING: tones could not" in run.warnings


async def test_an_answer_that_cannot_be_read_is_the_fault_of_the_engine(tmp_path: Path) -> None:
    engines = ToneEngines({**HEARS, "transcribe_speech": lambda _: {"hello": 1}})
    with pytest.raises(WindmillError, match=r"BAD_RESPONSE.*its answer cannot be read"):
        await heard(tmp_path, talk(tmp_path), engines)


async def test_a_recording_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp3"
    path.write_bytes(b"no sound")
    with pytest.raises(WindmillError, match="AUDIO_UNREADABLE"):
        await AudioRun(tmp_path / "run").join(path)


@pytest.mark.parametrize("answer", [{}, [{"speaker": "a"}], [{"speaker": "a", "t0": "x", "t1": 1}], "turns"])
def test_turns_that_are_none_are_refused(answer: object) -> None:
    with pytest.raises(WindmillError, match="BAD_RESPONSE"):
        turns_of_answer(answer, 10)


def test_turns_and_stretches_stay_within_the_recording() -> None:
    (turn,) = turns_of_answer([{"speaker": "x", "start": -1, "end": 99}, {"speaker": "y", "start": 3, "end": 3.01}], 10)
    assert (turn.speaker, turn.t0, turn.t1) == ("SPEAKER_00", 0, 10)
    assert spans_of_answer([[4, 99], [-2, 1], [3, 3]], 10) == [(0, 1), (4, 10)]
    with pytest.raises(WindmillError, match="BAD_RESPONSE"):
        spans_of_answer({"a": 1}, 10)


async def test_a_recogniser_is_told_the_sounds_of_the_list_of_words_if_there_is_one(tmp_path: Path) -> None:
    told: list[object] = []

    def answer(request: EngineRequest) -> object:
        told.append(request.parameters.get("sounds"))
        return {"words": []}

    engines = ToneEngines({**HEARS, "transcribe_speech": answer})
    run = await heard(tmp_path, talk(tmp_path), engines)
    assert told
    assert set(told) == {None}
    words = replace(SINGLISH, sounds=(WordSound("chee bye", "CH IY B AY"),))
    step, speech = AudioTranscribe(engines, find_words=lambda _: words), {"speech": run.files("audio_vad")}
    for language, expected in (("en", [{"say": "chee bye", "phones": "CH IY B AY"}]), ("ms", None)):
        run.scratch = tmp_path / language
        given = {"words": "mine", "language": language}
        await run.step(step, "audio_vad", speech, given, task="transcribe_speech", engines=["tones"])
        assert told[-1] == expected
