"""Sessions as text and as documents for the command line. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from windmill.kernels.text.tables import render_table
from windmill.operate.sessions.reading import SessionProgress, Speaker
from windmill.operate.sessions.recounting import Recounted
from windmill.operate.sessions.transcripts import name_of

_LISTED = ("session_id", "status", "started_by", "started_at", "total_speakers", "group_total_words")


def list_document(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: _plain(row[name]) for name in _LISTED} for row in found]


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | str | None) else str(value)


def list_text(found: Sequence[Mapping[str, Any]]) -> str:
    if not found:
        return "no sessions\n"
    headings = ("session", "status", "by", "started", "voices", "words")
    rows = [
        (
            *(row[name] for name in _LISTED[:3]),
            f"{row['started_at']:%Y-%m-%d %H:%M}",
            *(row[one] for one in _LISTED[4:]),
        )
        for row in found
    ]
    return render_table(headings, rows)


def session_document(found: SessionProgress, speakers: Sequence[Speaker]) -> dict[str, Any]:
    session = found.session
    names = ("status", "started_by", "started_at", "ended_at", "duration_seconds", "job", "words", "words_version")
    return {
        "session": str(session.session_id),
        **{name: _plain(getattr(session, name)) for name in names},
        "error_message": session.error_message,
        "stage": found.progress.stage,
        "progress": found.progress.percent,
        "chunks": len(found.chunks),
        "missing": list(found.missing),
        "speakers": [
            {
                "speaker": str(one.speaker_id),
                "label": one.label,
                "name": name_of(one),
                "claimed_by": one.claim.claimed_by if one.claim else None,
                "words": {count.word: count.count for count in one.counts},
            }
            for one in speakers
        ],
    }


def session_text(found: SessionProgress, speakers: Sequence[Speaker]) -> str:
    session = found.session
    lines = [
        f"{session.session_id} is {session.status}, {found.progress.percent} % {found.progress.stage}".rstrip(),
        f"chunks {len(found.chunks)}, missing {', '.join(map(str, found.missing)) or 'none'}",
    ]
    if session.job:
        lines.append(f"job {session.job}: python -m windmill jobs show {session.job}")
    if session.error_message:
        lines.append(session.error_message)
    rows = [
        (one.label, name_of(one) if one.claim else "-", ", ".join(f"{c.word} {c.count}" for c in one.counts) or "-")
        for one in speakers
    ]
    table = render_table(("voice", "is", "words"), rows) if rows else ""
    return "".join(f"{line}\n" for line in lines) + table


def counted_text(counted: Recounted) -> str:
    return f"{counted.sessions} sessions counted again by {counted.words}, version {counted.version}\n"
