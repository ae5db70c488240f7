"""What ffmpeg's muxer `framecrc` tells of a file, read line by line: its streams, and the times of their packets.

    #tb 0: 1/15360
    #media_type 0: video
    #codec_id 0: h264
    #dimensions 0: 320x180
    0,      -1024,          0,      512,     4097, 0xbf829195
    0,       -512,       2048,      512,     1609, 0x77161adf, F=0x0

Unlike what it writes for people, this form is exact, and the same in all versions. Flags are written where they are not
just 1, which is a keyframe; 4 means that the packet is decoded but not shown.
"""

from array import array
from dataclasses import dataclass, field
from fractions import Fraction

_KEY, _NOT_SHOWN = 1, 4
NO_TIME = -(2**63)


class BadScan(ValueError):
    """The lines are not those of a scan."""


@dataclass
class ScannedStream:
    """A stream. Mutable while it is read. Times are in units of `time_base`; packets are in the order of decoding."""

    media_type: str = ""
    codec: str = ""
    time_base: Fraction = Fraction(1)
    width: int = 0
    height: int = 0
    pts: "array[int]" = field(default_factory=lambda: array("q"))
    durations: "array[int]" = field(default_factory=lambda: array("q"))
    flags: "array[int]" = field(default_factory=lambda: array("B"))

    def is_key(self, place: int) -> bool:
        return bool(self.flags[place] & _KEY)

    def is_shown(self, place: int) -> bool:
        return not self.flags[place] & _NOT_SHOWN

    @property
    def shown(self) -> list[int]:
        """The times of what is shown, in the order of showing."""
        return sorted(time for time, flags in zip(self.pts, self.flags, strict=True) if not flags & _NOT_SHOWN)


class PacketScan:
    """Mutable: it is fed line by line."""

    def __init__(self) -> None:
        self.streams: dict[int, ScannedStream] = {}

    def feed(self, line: bytes) -> ScannedStream | None:
        """Take in a line; the stream that it speaks of."""
        try:
            return self._header(line.decode()) if line.startswith(b"#") else self._packet(line.split(b","))
        except (ValueError, IndexError, KeyError, OverflowError, ZeroDivisionError) as error:
            raise BadScan(f"{line[:200]!r} is no line of a scan") from error

    def of_type(self, media_type: str) -> ScannedStream | None:
        return next((one for one in self.streams.values() if one.media_type == media_type), None)

    def _header(self, line: str) -> ScannedStream | None:
        name, _, value = line[1:].partition(": ")
        kind, _, number = name.rpartition(" ")
        if not number.isdigit():
            return None
        stream = self.streams.setdefault(int(number), ScannedStream())
        if kind == "tb":
            stream.time_base = Fraction(value.strip())
        elif kind == "media_type":
            stream.media_type = value.strip()
        elif kind == "codec_id":
            stream.codec = value.strip()
        elif kind == "dimensions":
            stream.width, stream.height = map(int, value.split("x"))
        return stream

    def _packet(self, fields: list[bytes]) -> ScannedStream:
        stream = self.streams[int(fields[0])]
        stream.pts.append(int(fields[2]))
        stream.durations.append(int(fields[3]))
        flags = next((int(one.strip()[2:], 16) for one in fields[6:] if one.strip().startswith(b"F=")), _KEY)
        stream.flags.append(flags & 0xFF)
        return stream
