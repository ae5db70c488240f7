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

import numpy as np

_KEY, _NOT_SHOWN = 1, 4
NO_TIME = -(2**63)


class BadScan(ValueError):
    """The lines are not those of a scan."""


@dataclass
class ScannedStream:
    """A stream. Mutable while it is read. Times are in units of `time_base`; packets are in the order of decoding.

    Hours of video are hundreds of thousands of packets, so of each packet only what is asked for later is kept, in
    nine bytes; of sound nothing but its ends, as nothing else of it is asked for."""

    media_type: str = ""
    codec: str = ""
    time_base: Fraction = Fraction(1)
    width: int = 0
    height: int = 0
    packets: int = 0
    frames: int = 0
    """Packets that are shown, and how many of those have a time."""
    timed: int = 0
    untimed: bool = False
    """Whether any packet has no time."""
    first: int = -NO_TIME
    last: int = NO_TIME
    """The times of what is shown first and last, if anything has one."""
    last_duration: int = 0
    pts: "array[int]" = field(default_factory=lambda: array("q"))
    flags: "array[int]" = field(default_factory=lambda: array("B"))

    def add(self, pts: int, duration: int, flags: int) -> None:
        """Take in the next packet."""
        self.packets += 1
        if self.media_type == "video":
            self.pts.append(pts)
            self.flags.append(flags)
        self.untimed = self.untimed or pts == NO_TIME
        if flags & _NOT_SHOWN:
            return
        self.frames += 1
        if pts != NO_TIME:
            self._show(pts, duration)

    def _show(self, pts: int, duration: int) -> None:
        self.timed += 1
        self.first = min(self.first, pts)
        if pts >= self.last:
            self.last, self.last_duration = pts, duration

    @property
    def length(self) -> Fraction:
        """Seconds from what is shown first to what is shown last."""
        return max(self.last - self.first, 0) * self.time_base

    def is_key(self, place: int) -> bool:
        return bool(self.flags[place] & _KEY)

    def is_shown(self, place: int) -> bool:
        return not self.flags[place] & _NOT_SHOWN

    @property
    def shown(self) -> "array[int]":
        """The times of what is shown, in the order of showing; of a video."""
        times = np.frombuffer(self.pts, np.int64)[np.frombuffer(self.flags, np.uint8) & _NOT_SHOWN == 0]
        times.sort()
        found = array("q")
        found.frombytes(times.view(np.uint8).data)
        return found


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
        flags = next((int(one.strip()[2:], 16) for one in fields[6:] if one.strip().startswith(b"F=")), _KEY)
        stream.add(int(fields[2]), int(fields[3]), flags & 0xFF)
        return stream
