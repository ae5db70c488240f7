"""A transcript as subtitles (SRT, WebVTT) and as turns of speakers (RTTM)."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from windmill.kernels.text.spoken_words import SpokenWord
from windmill.kernels.text.word_hits import turns_of

MOST_SECONDS, MOST_CHARACTERS, PAUSE = 6.0, 84, 1.0
"""Of one subtitle, and between two words of it."""


def cues(words: Sequence[SpokenWord]) -> list[list[SpokenWord]]:
    """Words that are shown at once: of one speaker, without a long pause, and no more than one can read."""
    return [cue for turn in turns_of(words) for cue in _parts(turn)]


def _parts(turn: Sequence[SpokenWord]) -> Iterator[list[SpokenWord]]:
    part = [turn[0]]
    for before, word in pairwise(turn):
        length = len(_text([*part, word]))
        if word.t0 - before.t1 > PAUSE or word.t1 - part[0].t0 > MOST_SECONDS or length > MOST_CHARACTERS:
            yield part
            part = []
        part.append(word)
    yield part


def _text(words: Sequence[SpokenWord]) -> str:
    return " ".join(" ".join(word.word.split()) for word in words)


def srt(words: Sequence[SpokenWord]) -> str:
    """SubRip, with the speaker before each text."""
    return "\n".join(
        f"{number}\n{_clock(cue[0].t0, ',')} --> {_clock(cue[-1].t1, ',')}\n{_named(cue)}\n"
        for number, cue in enumerate(cues(words), 1)
    )


def _named(cue: Sequence[SpokenWord]) -> str:
    return f"{cue[0].speaker}: {_text(cue)}" if cue[0].speaker else _text(cue)


def webvtt(words: Sequence[SpokenWord]) -> str:
    """WebVTT, with a voice for each speaker."""
    found = [
        f"{_clock(cue[0].t0, '.')} --> {_clock(cue[-1].t1, '.')}\n<v {_escaped(cue[0].speaker or 'unknown')}>"
        f"{_escaped(_text(cue))}</v>\n"
        for cue in cues(words)
    ]
    return "\n".join(["WEBVTT\n", *found])


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def rttm(words: Sequence[SpokenWord], name: str) -> str:
    """NIST's Rich Transcription Time Marked: a line for each turn, of words that no long pause parts."""
    return "".join(
        f"SPEAKER {name} 1 {cue[0].t0:.3f} {cue[-1].t1 - cue[0].t0:.3f} <NA> <NA> "
        f"{'_'.join(cue[0].speaker.split()) or 'unknown'} <NA> <NA>\n"
        for cue in cues(words)
    )


def _clock(seconds: float, mark: str) -> str:
    thousandths = round(seconds * 1_000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1_000:02}{mark}{rest % 1_000:03}"
