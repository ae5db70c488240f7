"""How many vulgar words are found by their sound, and how many are invented: python bench/talk/sounds.py

Each sentence is a recording of its own, said by four voices of the synthesiser flite: vulgar ones, and plain English
made to mislead. The table of bench/talk/accuracy.py has talks; these sentences were not looked at while the sounds were
chosen.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from bench.talk.accuracy import Listener
from bench.talk.scenes import MISLEADING, MISLEADING_VULGAR
from dev.voices.speakers import SYNTHETIC, Voices, open_voices, voices_cache
from windmill.kernels.audio.attribution import attribute
from windmill.kernels.audio.pcm import RATE
from windmill.kernels.text.spoken_words import spoken_word
from windmill.kernels.text.word_hits import count_talk
from windmill.pipelines.audio.forms import DEFAULT_WORDS
from windmill.pipelines.audio.word_lists import SHIPPED, find_word_list

_SILENCE = np.zeros(RATE // 2, np.int16)


async def counted(listener: Listener, voices: Voices, voice: str, text: str) -> list[str]:
    """The vulgar words that a job would count in this sentence."""
    heard = await listener.hear(np.concatenate([_SILENCE, voices.say(voice, text), _SILENCE]))
    words, listed = attribute(heard.words, heard.turns), find_word_list(DEFAULT_WORDS, SHIPPED)
    hits = count_talk([spoken_word(one.document()) for one in words], listed).hits
    return [hit.corrected for hit in hits if listed.is_vulgar(hit.corrected)]


async def run(voices: Voices, folder: Path) -> None:
    listener = Listener(folder)
    said = found = false = 0
    try:
        for voice in SYNTHETIC:
            own = 0
            for text, word in {**MISLEADING_VULGAR, **dict.fromkeys(MISLEADING, "")}.items():
                heard = await counted(listener, voices, voice, text)
                own += word in heard
                for one in heard:
                    if one != word:
                        false += 1
                        print(f"{voice}: {one} in {text!r}", flush=True)
            said, found = said + len(MISLEADING_VULGAR), found + own
            print(f"{voice}: {own} of {len(MISLEADING_VULGAR)} found", flush=True)
    finally:
        await listener.engine.close()
    print(f"sounds: {found} of {said} found, {false} invented in {len(SYNTHETIC) * len(MISLEADING)} others")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    voices = open_voices(voices_cache(), print, "synthetic-voices")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(voices, Path(folder)))


if __name__ == "__main__":
    main()
