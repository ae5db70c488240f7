"""What the page of a session shows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.errors import hide_paths
from gateway.pages.badges import Badge
from gateway.pages.sessions.listing import session_badge
from gateway.pages.sessions.sound import SoundView
from gateway.pages.sessions.spoken import SpokenView
from gateway.pages.sessions.voices import CountRow, VoiceView, counts_of, voices_of
from windmill.operate.sessions.people import Person, Session
from windmill.operate.sessions.talk_page import MOST_HITS, SaidHit, SessionLook
from windmill.pipelines.audio.stages import STAGES

_STAGE_WORDS = {
    "concatenating": "join the chunks",
    "diarizing": "tell speakers apart",
    "transcribing": "write down what is said",
    "saving_results": "correct and count",
    "generating_samples": "cut samples",
}
_OPEN = ("ready_for_claiming", "completed")


@dataclass(frozen=True)
class StageView:
    """A stage of the work on a talk: done, running or waiting."""

    words: str
    state: str


@dataclass(frozen=True)
class WhereSaid:
    """A word that somebody has chosen in the table of counts, and where it was said."""

    word: str
    name: str
    hits: Sequence[SaidHit]

    @property
    def more(self) -> bool:
        """Whether these may be the first ones only."""
        return len(self.hits) == MOST_HITS


@dataclass(frozen=True)
class Refused:
    """A claim that came second: whose the voice is, and who said so."""

    claimant: str
    claimed_by: str


@dataclass(frozen=True)
class SessionView:
    """`sound` and `spoken` are None where only what changes is asked for; `mark` stands for what was said as it is
    known now, `is_old` tells that the page shows something else."""

    look: SessionLook
    state: Badge
    stages: tuple[StageView, ...]
    voices: tuple[VoiceView, ...]
    counts: tuple[CountRow, ...]
    error: str
    job_url: str
    mark: str
    is_old: bool
    sound: SoundView | None = None
    spoken: SpokenView | None = None
    where: WhereSaid | None = None
    refused: Refused | None = None
    at: float | None = None

    @property
    def session(self) -> Session:
        return self.look.session

    @property
    def may_claim(self) -> bool:
        """Whether it is known who spoke."""
        return self.session.status in _OPEN

    @property
    def claimed(self) -> int:
        return sum(one.speaker.claim is not None for one in self.voices)

    @property
    def totals(self) -> tuple[int, ...]:
        return tuple(one.words for one in self.voices)


def session_view(look: SessionLook, person: Person, emojis: Mapping[str, str], had: str = "") -> SessionView:
    """`had` is the mark of the page that asks for changes."""
    session, voices = look.session, voices_of(look, person)
    mark = f"{session.job or ''}.{session.words_version or 0}.{'said' if session.status in _OPEN else 'not'}"
    sees_job = session.job is not None and (person.admin or person.name == session.started_by)
    return SessionView(
        look=look,
        state=session_badge(session.status),
        stages=stages_of(look.progress.progress.stage) if session.status == "processing" else (),
        voices=voices,
        counts=counts_of(voices, dict(emojis)),
        error=hide_paths(session.error_message)[:500] if session.error_message else "",
        job_url=f"/ui/jobs/{session.job}" if sees_job else "",
        mark=mark,
        is_old=bool(had) and had != mark,
    )


def stages_of(present: str) -> tuple[StageView, ...]:
    """All stages in their order, those before the present one done."""
    names = list(dict.fromkeys(stage.name for stage in STAGES.values()))
    here = names.index(present) if present in names else 0
    states = ["done" if place < here else "running" if place == here else "waiting" for place in range(len(names))]
    return tuple(StageView(_STAGE_WORDS[name], state) for name, state in zip(names, states, strict=True))
