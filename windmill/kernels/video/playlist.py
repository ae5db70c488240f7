"""The HLS playlist of a video that is being made: it grows in order, and ends when the video is whole."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"


@dataclass(frozen=True)
class PlayablePiece:
    """A segment that is done: where it is and how long it takes."""

    number: int
    uri: str
    seconds: Fraction


def playable(pieces: Sequence[PlayablePiece]) -> list[PlayablePiece]:
    """From the first on, those that follow each other without a gap: workers finish in any order."""
    ordered = sorted(pieces, key=lambda piece: piece.number)
    return [piece for place, piece in enumerate(ordered) if piece.number == place]


def render_playlist(pieces: Sequence[PlayablePiece], header_uri: str, longest: Fraction, *, whole: bool) -> str:
    """`longest` is that of all segments, planned ones too, as the target must not change while the list grows."""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, math.ceil(longest))}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:EVENT",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{header_uri}"',
    ]
    for piece in playable(pieces):
        lines += [f"#EXTINF:{float(piece.seconds):.6f},", piece.uri]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if whole else [])]) + "\n"
