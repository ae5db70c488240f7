"""Voices that are different people: prompts that six of them have recorded, in as many languages, and four voices of
the synthesiser flite that were made of recordings of people, and say any English sentence. espeak-ng says any as well,
and sounds like nobody."""

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.servers import debian_packages
from dev.servers.server import ReportLine
from windmill.core.settings import load_settings
from windmill.kernels.audio.pcm import RATE, Pcm
from windmill.media.audio.decoding import decode, open_audio_tools
from windmill.media.audio.wave_files import open_samples
from windmill.media.ffmpeg.programs import find_ffmpeg

PACKAGES = (*(f"asterisk-core-sounds-{language}-wav" for language in ("en", "fr", "it", "ru")), "flite")
MORE_PACKAGES = (*PACKAGES, "asterisk-prompt-it-menardi-wav", "asterisk-prompt-fr-armelle", "espeak-ng")
SETS: Mapping[str, Sequence[str]] = {
    "voices": PACKAGES,
    "more-voices": MORE_PACKAGES,
    "many-voices": (*MORE_PACKAGES, "asterisk-prompt-es-co", "ktuberling-data", "klettres-data"),
    "synthetic-voices": ("flite",),
}
"""Those of the demo; those of measurements; those on which thresholds are chosen; and the ones that say any sentence, a
tenth of the size."""
RECORDED: Mapping[str, str] = {
    "allison": "en_US_f_Allison",
    "june": "fr_CA_f_June",
    "carlo": "it_IT_m_Carlo",
    "irina": "ru_RU_f_IvrvoiceRU",
    "menardi": "it_IT_f_Menardi",
    "armelle": "fr",
    "colombian": "es",
}
"""Names of ours, and the folders of their prompts."""
SYNTHETIC = ("awb", "rms", "slt", "kal16")
ROBOT = "robot"
"""The voice of espeak-ng."""
_SOUNDS = Path("usr/share/asterisk/sounds")
_PROMPT_SECONDS = (2.1875, 8.125)
_BYTES_PER_SECOND = {".wav": 16_000, ".gsm": 1_650}
_VERSION = 1


@dataclass(frozen=True)
class Voices:
    """The unpacked packages, and a folder for what is made of them."""

    tree: Path
    made: Path

    def prompts(self, name: str) -> list[Path]:
        """What a person has recorded, 2 to 8 seconds each."""
        least, most = _PROMPT_SECONDS
        found = sorted((self.tree / _SOUNDS / RECORDED[name]).glob("*.*"))
        return [path for path in found if least < _seconds_of(path) < most]

    def recorded(self, name: str, number: int) -> Pcm:
        prompts = self.prompts(name)
        return self._decoded(prompts[number % len(prompts)], self.made / f"{name}-{number % len(prompts)}.pcm")

    def say(self, name: str, text: str) -> Pcm:
        """A sentence by a synthesiser."""
        key = "".join(letter if letter.isalnum() else "_" for letter in text)[:80]
        spoken = self.made / f"{name}-{key}.wav"
        if not spoken.exists():
            libraries = self.tree / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
            environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries), "ESPEAK_DATA_PATH": str(libraries)}
            subprocess.run(self._saying(name, text, spoken), check=True, env=environment)
        return self._decoded(spoken, spoken.with_suffix(".pcm"))

    def _saying(self, name: str, text: str, target: Path) -> list[str]:
        programs = self.tree / "usr/bin"
        if name == ROBOT:
            return [str(programs / "espeak-ng"), "-v", "en-gb", "-w", str(target), text]
        return [str(programs / "flite"), "-voice", name, "-t", text, "-o", str(target)]

    def _decoded(self, path: Path, target: Path) -> Pcm:
        if not target.exists():
            if path.suffix == ".gsm":
                _decode_gsm(path, target)
            else:
                decode(open_audio_tools(load_settings()), path, target)
        return open_samples(target)


def _seconds_of(prompt: Path) -> float:
    return prompt.stat().st_size / _BYTES_PER_SECOND.get(prompt.suffix, 1)


def _decode_gsm(path: Path, target: Path) -> None:
    """Nothing in such a file says what it is, so the decoder of recordings refuses it."""
    program = find_ffmpeg(load_settings().ffmpeg)
    given = ["-f", "gsm", "-i", str(path), "-ac", "1", "-ar", str(RATE), "-f", "s16le", str(target)]
    subprocess.run([program, "-v", "error", "-nostdin", "-y", *given], check=True)


def open_voices(cache: Path, report: ReportLine, name: str = "voices") -> Voices:
    """A set of voices, downloaded if they are not there. Raises CannotUnpack where this is no Debian."""
    if not debian_packages.can_unpack():
        raise debian_packages.CannotUnpack("the voices are packages of Debian, which this system is not")
    cache.mkdir(parents=True, exist_ok=True)
    tree = debian_packages.unpack_packages(SETS[name], cache / f"{name}-{_VERSION}-{debian_packages.system()}", report)
    made = cache / "voices-made"
    made.mkdir(exist_ok=True)
    return Voices(tree, made)


def voices_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "windmill"


SENTENCES: Sequence[str] = (
    "the meeting will begin at nine in the morning tomorrow",
    "please leave a message after the tone and we will call you back",
    "i think that the cheapest lunch is in the small place behind the station",
    "nobody told me that the bus does not stop here on sundays",
    "can you bring the papers when you come to the office",
    "we can go to the market first and then walk along the river",
    "she said that the rain will stop before the evening",
    "my brother bought a new bicycle and rides it every day",
    "the doctor asked him to drink more water and sleep longer",
    "they finished the work early and went home by train",
    "how can we finish all of this before friday",
    "the children are playing in the garden behind the house",
    "i can see the mountains from the window of my kitchen",
    "there is a letter for you on the table near the door",
    "the old man sells fruit at the corner of the street",
    "you can pay with cash or with a card at the counter",
    "we waited for an hour but the train never arrived",
    "this road leads to the harbour and the other one to the hills",
    "the teacher wrote the answer on the board and smiled",
    "can anybody tell me where the nearest hospital is",
)
