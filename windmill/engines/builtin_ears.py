"""How the engine without a model listens: where there is sound, and nothing else. It tells nobody apart and writes down
no word, as it would have to invent them; and it says so."""

from collections.abc import Callable, Mapping

import numpy as np
import orjson

from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineRequest
from windmill.kernels.audio.pcm import RATE
from windmill.kernels.audio.speaker_turns import SpeakerTurn, label_of
from windmill.kernels.audio.speech_frames import FRAME, SpeechRules, frame_levels, louder_than_the_rest, speech_spans
from windmill.media.audio.wave_files import blocks, open_wave

_BLOCK = 2_000 * FRAME


def _detect(request: EngineRequest) -> tuple[str, object]:
    assert request.main_input
    sound = open_wave(request.main_input)
    levels = np.concatenate([*(frame_levels(block) for block in blocks(sound, _BLOCK)), np.zeros(0)])
    pause = request.parameters.get("least_pause")
    rules = SpeechRules(least_pause=float(pause) if isinstance(pause, int | float) else SpeechRules.least_pause)
    return "speech.json", speech_spans(louder_than_the_rest(levels), len(sound) / RATE, rules)


def _diarise(request: EngineRequest) -> tuple[str, object]:
    speech = request.inputs.get("speech")
    if speech is None:
        raise WindmillError("USAGE", "diarise_speech needs the input speech")
    spans = orjson.loads(speech.read_bytes())
    return "turns.json", [SpeakerTurn(label_of(0), start, end).document() for start, end in spans]


def _transcribe(_: EngineRequest) -> tuple[str, object]:
    return "words.json", {"words": []}


LISTENING: Mapping[str, Callable[[EngineRequest], tuple[str, object]]] = {
    "detect_speech": _detect,
    "diarise_speech": _diarise,
    "transcribe_speech": _transcribe,
}
SAYS: Mapping[str, str] = {
    "detect_speech": "what is louder than the background was taken for speech, as no model was asked",
    "diarise_speech": "all speech was given to one speaker, as no model was asked",
    "transcribe_speech": "no word was written down, as no model was asked",
}


def listen(request: EngineRequest, task: str) -> None:
    """Write what was heard into the folder of outputs."""
    name, document = LISTENING[task](request)
    (request.out / name).write_bytes(orjson.dumps(document))
