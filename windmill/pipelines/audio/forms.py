"""What the steps on talk are given, take and make, as presets see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from windmill.pipelines.values import FileType, ValueSpec

AUDIO_TRIES = 4
AUDIO_RETRY_SECONDS: Sequence[float] = (5, 10, 20)
"""Before each try after the first one."""
DEFAULT_WORDS = "singlish_v1"


@dataclass(frozen=True)
class AudioForm:
    """A step as presets see it. Inputs that are `optional` may be left out; `weight` is its share of a job's
    progress."""

    name: str
    description: str
    inputs: Mapping[str, FileType]
    produces: FileType | None
    parameters: Mapping[str, ValueSpec] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    takes_engine: bool = False
    weight: float = 1.0
    version: int = 1


JOIN = AudioForm(
    "audio_join",
    "joins the chunks of a session, or takes a recording, as 16 kHz mono; gaps stay as silence",
    {"audio": "audio"},
    "talk",
    {"session": ValueSpec("text", "the id of the session whose chunks are joined", max_length=36)},
    optional=frozenset({"audio"}),
    weight=10,
)
VAD = AudioForm(
    "audio_vad",
    "finds where somebody speaks, and cuts it out for the recogniser",
    {"talk": "talk"},
    "speech",
    {
        "piece_seconds": ValueSpec("number", "about how long a piece is", default=120, minimum=10, maximum=600),
        "least_pause": ValueSpec("number", "seconds of a pause that counts", default=0.3, minimum=0.05, maximum=5),
    },
    takes_engine=True,
    weight=5,
)
DIARISE = AudioForm(
    "audio_diarise",
    "tells whose turn it is",
    {"talk": "talk", "speech": "speech"},
    "turns",
    {"max_speakers": ValueSpec("integer", "at most so many; 0 for any number", default=0, minimum=0, maximum=100)},
    takes_engine=True,
    weight=25,
)
TRANSCRIBE = AudioForm(
    "audio_transcribe",
    "writes down what is said, each stretch of speech by itself",
    {"speech": "speech"},
    "words",
    {
        "language": ValueSpec("text", "two letters, such as en", default="en", max_length=8),
        "words": ValueSpec("text", "a list whose sounds are listened for", min_length=1, max_length=100),
    },
    takes_engine=True,
    weight=40,
)
ATTRIBUTE = AudioForm(
    "audio_attribute",
    "gives each word to whoever spoke most of its time",
    {"words": "words", "turns": "turns"},
    "transcript",
    weight=2,
)
CORRECT = AudioForm(
    "audio_correct",
    "corrects what was misheard, by rules on whole words, and keeps what stood there",
    {"transcript": "transcript"},
    "hits",
    {
        "words": ValueSpec("text", "the list of rules and words", default=DEFAULT_WORDS, min_length=1, max_length=100),
        "strict_seed": ValueSpec("boolean", "count as the first version of the lists did", default=False),
    },
    weight=2,
)
COUNT = AudioForm(
    "audio_count",
    "counts the wanted words of each speaker, into the session if there is one",
    {"hits": "hits", "transcript": "transcript"},
    "hits",
    weight=6,
)
SAMPLES = AudioForm(
    "audio_samples",
    "cuts out the longest clean stretch of each speaker",
    {"talk": "talk", "turns": "turns"},
    "audio",
    {"seconds": ValueSpec("number", "at most so long", default=5, minimum=1, maximum=30)},
    weight=5,
)
AUDIO_FORMS: Mapping[str, AudioForm] = {
    form.name: form for form in (JOIN, VAD, DIARISE, TRANSCRIBE, ATTRIBUTE, CORRECT, COUNT, SAMPLES)
}
