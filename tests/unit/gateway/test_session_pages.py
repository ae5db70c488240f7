"""What the pages of talks are given to show."""

import uuid
from datetime import UTC, datetime

import pytest

from gateway.pages.sessions.listing import ROWS, sessions_view
from gateway.pages.sessions.sound import sound_view, wave_path
from gateway.pages.sessions.spoken import spoken_view
from gateway.pages.sessions.views import session_view, stages_of
from gateway.pages.sessions.voices import by_speaker, claim_words, voice_name
from gateway.pages.words import playtime
from windmill.kernels.text.spoken_words import SpokenWord
from windmill.operate.sessions.people import Person, Session, SessionStatus
from windmill.operate.sessions.reading import Claim, SessionProgress, Speaker, WordCount
from windmill.operate.sessions.talk_page import OwnTurn, SaidHit, SaidPart, SessionLook, SessionSound
from windmill.pipelines.audio.stages import StageProgress
from windmill.storage.audit_log import Actor

NOW = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)
ONE, TWO = uuid.UUID(int=1), uuid.UUID(int=2)


def claim(kind: str = "self", by: str = "ann", whom: str | None = "ann", guest: str | None = None) -> Claim:
    return Claim(kind, by, NOW, whom, guest)


def speaker(key: uuid.UUID, label: str, claimed: Claim | None = None, **words: int) -> Speaker:
    counts = [WordCount(word, number) for word, number in words.items()]
    return Speaker(key, label, 3, 12.0, (), claimed, counts)


def look(*speakers: Speaker, status: SessionStatus = "ready_for_claiming", leads: bool = False) -> SessionLook:
    session = Session(
        uuid.UUID(int=9), None, "ann", NOW, NOW, 60.0, uuid.UUID(int=8), "singlish_v1", 1, None, 2, status, None
    )
    progress = SessionProgress(session, StageProgress("transcribing", 40), (), (), has_audio=True)
    return SessionLook(progress, speakers, None, ["ann"], leads, None, (), ())


def person(name: str) -> Person:
    return Person(Actor(name))


def test_a_voice_is_called_by_whoever_it_is_credited_to_or_else_by_its_number() -> None:
    assert (voice_name("SPEAKER_00"), voice_name("SPEAKER_11 5.9-7"), voice_name("ann")) == (
        *("Speaker 1", "Speaker 12, 5.9 to 7 s"),
        "ann",
    )
    guest = claim("guest", "bob", None, "Uncle Lim")
    view = session_view(look(speaker(ONE, "SPEAKER_00", guest), speaker(TWO, "SPEAKER_01")), person("ann"), {})
    assert [one.name for one in view.voices] == ["Uncle Lim", "Speaker 2"]
    assert claim_words(view.voices[0].speaker) == "claimed by bob for Uncle Lim, a guest"
    assert claim_words(speaker(ONE, "x", claim("self", "", ""))) == "claimed by somebody here"


@pytest.mark.parametrize(
    ("who", "leads", "may"), [("ann", False, True), ("bob", False, True), ("carl", False, False), ("carl", True, True)]
)
def test_a_claim_is_taken_back_by_who_made_it_who_is_named_and_who_leads(who: str, leads: bool, may: bool) -> None:
    one = speaker(ONE, "SPEAKER_00", claim("user", "ann", "bob"))
    assert session_view(look(one, leads=leads), person(who), {}).voices[0].may_unclaim is may


def test_counts_are_by_word_and_voice_and_their_sums_agree() -> None:
    view = session_view(look(speaker(ONE, "a", lah=2, sia=1), speaker(TWO, "b", lah=3)), person("ann"), {"lah": "x"})
    assert [(row.word, row.emoji, row.counts, row.total) for row in view.counts] == [
        ("lah", "x", (2, 3), 5),
        ("sia", "", (1, 0), 1),
    ]
    assert view.totals == (3, 3)


def test_a_page_is_told_when_what_it_shows_of_the_words_is_no_longer_so() -> None:
    processing = session_view(look(status="processing"), person("ann"), {})
    assert not processing.is_old
    assert session_view(look(speaker(ONE, "a")), person("ann"), {}, processing.mark).is_old
    assert not session_view(look(status="processing"), person("ann"), {}, processing.mark).is_old
    assert [one.state for one in processing.stages] == ["done", "done", "running", "waiting", "waiting"]
    assert stages_of("")[0].state == "running"


def test_a_job_is_linked_for_those_who_may_see_it() -> None:
    assert session_view(look(), person("ann"), {}).job_url
    assert not session_view(look(), person("bob"), {}).job_url


def said(*words: SpokenWord, first: int = 0, total: int = 0, hits: tuple[SaidHit, ...] = ()) -> SaidPart:
    owners = [ONE if word.speaker == "a" else TWO for word in words]
    return SaidPart(words, owners, hits, first, total or len(words))


def test_turns_end_with_their_voice_with_a_pause_and_when_they_get_too_long() -> None:
    voices = by_speaker(session_view(look(speaker(ONE, "a"), speaker(TWO, "b")), person("ann"), {}).voices)
    long = [SpokenWord(10 + place / 4, 10.2 + place / 4, "x", speaker="a") for place in range(100)]
    words = [SpokenWord(0, 0.4, "wah", speaker="a"), SpokenWord(1, 1.4, "lah", speaker="b"), *long]
    hits = (SaidHit(TWO, "lah", "lah", None, 1, 1.4, 0.9),)
    view = spoken_view(said(*words, hits=hits), voices, [(4.0, 6.0)])
    assert [(turn.t0, len(turn.words)) for turn in view.turns] == [(0, 1), (1, 1), (4.0, 0), (10, 80), (30.0, 20)]
    assert [word.counted for turn in view.turns[:2] for word in turn.words] == [False, True]
    assert view.turns[2].voice is None


def test_a_gap_stands_in_the_part_in_which_it_begins() -> None:
    gaps = [(0.0, 1.0), (5.0, 6.0), (50.0, 60.0)]
    words = [SpokenWord(2, 2.5, "x", speaker="a"), SpokenWord(9, 9.5, "x", speaker="a")]
    first = spoken_view(said(*words, total=4), {}, gaps)
    last = spoken_view(said(*[SpokenWord(20, 21, "x", speaker="a")], first=3, total=4), {}, gaps)
    assert [turn.t0 for turn in first.turns if not turn.words] == [0.0, 5.0]
    assert [turn.t0 for turn in last.turns if not turn.words] == [50.0]
    assert [turn.t0 for turn in spoken_view(said(), {}, gaps).turns] == [0.0, 5.0, 50.0]


def test_the_sound_is_drawn_over_its_whole_time_and_lanes_get_no_longer_with_it() -> None:
    voices = by_speaker(session_view(look(speaker(ONE, "a"), speaker(TWO, "b")), person("ann"), {}).voices)
    turns = [OwnTurn(ONE, at / 10, at / 10 + 0.05) for at in range(36_000)]
    view = sound_view(
        SessionSound({"duration": 3_600, "gaps": [[900, 1_800]], "outline": [0.1, 0.4]}, turns), voices, None
    )
    assert [(gap.x, gap.width) for gap in view.gaps] == [(250, 250)]
    assert (view.missing_seconds, view.axis[2], view.lanes[0].turns) == (900, "30:00", 36_000)
    assert len(view.lanes[0].path) < 20_000
    assert view.lanes[1].path == ""
    assert wave_path([0.1, 0.4]) == "M0 36L250 27L750 0L1000 36L750 72L250 45Z"
    assert wave_path([0, 0]) == wave_path([]) == ""


def test_a_moment_is_written_as_players_write_it() -> None:
    assert [playtime(seconds) for seconds in (0, 59.9, 214, 3_723)] == ["0:00", "0:59", "3:34", "1:02:03"]


def test_a_list_that_goes_on_says_so() -> None:
    row = {
        **{"session_id": ONE, "status": "completed", "group_name": None, "started_by": "ann", "started_at": NOW},
        **{"duration_seconds": None, "people": ["ann", "", None], "total_speakers": 2, "group_total_words": 5},
    }
    view = sessions_view([row] * (ROWS + 1), "completed", 50)
    assert (len(view.lines), view.older, view.first) == (
        *(ROWS, "/ui/sessions?status=completed&offset=100"),
        "/ui/sessions?status=completed",
    )
    assert (view.lines[0].people, view.lines[0].state.word) == (("ann",), "completed")
    assert sessions_view([row], "", 0).older == ""
