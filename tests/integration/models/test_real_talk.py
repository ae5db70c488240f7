"""Talks of synthesised voices and the real models: who speaks when, and what. The first run fetches voices."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from bench.talk.accuracy import Listener, errors_of_words, speakers
from bench.talk.scores import diarisation_score
from dev.servers.debian_packages import CannotUnpack
from dev.voices.speakers import open_voices, voices_cache
from dev.voices.talks import MadeTalk, TalkPlan, make_talk
from tests.integration.fleet import unavailable
from windmill.engines.audio.libraries import MODULES, missing_modules
from windmill.engines.entries import AudioEntry
from windmill.kernels.audio.pcm import RATE, Pcm

pytestmark = [
    pytest.mark.slow(reason="a minute, and as long as 13 MB take the first time"),
    pytest.mark.timeout(600),
]
PLAN = TalkPlan(("slt", "kal16", "awb"), 12, seed=5)


@pytest.fixture(scope="module")
def talk() -> MadeTalk:
    if missing := [name for task in MODULES for name in missing_modules(AudioEntry(), task)]:
        unavailable(f"the libraries that listen are not installed: {', '.join(missing)}")
    try:
        return make_talk(open_voices(voices_cache(), print, "synthetic-voices"), PLAN)
    except CannotUnpack as error:
        unavailable(str(error))
        raise


@pytest.fixture
async def listener(tmp_path: Path) -> AsyncIterator[Listener]:
    listener = Listener(tmp_path)
    yield listener
    await listener.engine.close()


async def test_three_voices_are_told_apart_and_their_words_are_written_down(talk: MadeTalk, listener: Listener) -> None:
    heard = await listener.hear(talk.sound)
    assert speakers(heard.turns) == 3
    assert diarisation_score(talk.turns, heard.turns).rate < 0.12
    wrong, said = errors_of_words(talk, heard.words)
    assert said > 100
    assert wrong / said < 0.12


VULGAR = {
    "chee bye who took my umbrella": "chee bye",
    "he is a lan jiao sia": "lan jiao",
    "wa lao eh the bus is slow": "wah lao",
}
HARMLESS = (
    "a cheap buy is not always a good one",
    "see you at lunch hour near the station",
    "the wall outside is white",
)


async def test_words_that_whisper_does_not_know_are_found_by_their_sound_and_what_resembles_them_is_not(
    talk: MadeTalk, listener: Listener
) -> None:
    voices = open_voices(voices_cache(), print, "synthetic-voices")
    for text, said in VULGAR.items():
        assert said in await written(listener, voices.say("rms", text))
    found = [await written(listener, voices.say(name, text)) for text in HARMLESS for name in ("rms", "kal16")]
    assert not [text for text in found if any(said in text for said in VULGAR.values())]
    assert "lunch hour" in found[2].lower()


async def written(listener: Listener, sound: Pcm) -> str:
    heard = await listener.hear(np.concatenate([np.zeros(RATE // 2, np.int16), sound, np.zeros(RATE // 2, np.int16)]))
    return " ".join(word.word for word in heard.words)
