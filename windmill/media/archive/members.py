"""What a member of an archive is, which are refused, and a table that finds one among millions in little memory."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

ReadAt = Callable[[int, int], bytes]
"""Bytes of the archive from an offset on, as many as asked for; fewer only where the archive ends."""

MOST_MEMBERS = 2_000_000
MOST_NAME_BYTES = 4096
"""Longer names make no message."""


class BadArchive(ValueError):
    """The file is not an archive that can be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive. `place` is where its header begins, `start` its first byte. `stored` bytes lie there, which
    unfold into `size` where they are `packed`; `crc` is their checksum where the archive has one."""

    name: str
    place: int
    start: int
    stored: int
    size: int
    packed: bool = False
    crc: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A member that is not read, and why."""

    name: str
    place: int
    reason: str


def plain_name(name: str) -> str:
    """Without the ./ that some programs put before each name."""
    while name.startswith("./"):
        name = name[2:]
    return name


def refusal(name: str) -> str | None:
    """Why a name is none that a member may have: it leads out of the archive, whoever unpacks it."""
    parts = name.replace("\\", "/").split("/")
    if not name or "\x00" in name:
        return "has no name"
    if len(name.encode("utf-8", "surrogateescape")) > MOST_NAME_BYTES:
        return "has too long a name"
    if not parts[0] or parts[0].endswith(":"):
        return "has an absolute name"
    return "has .. in its name" if ".." in parts else None


class MemberTable:
    """Where the members of an archive are, by name: eight bytes a slot, however long the names.

    A slot holds the member's place and some bits of its name's hash. Whoever is told a place reads the name that stands
    there, so two names of one hash are told apart. It is an open hash table, at most two thirds full.
    """

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 64))
        self._filled = 0

    def __len__(self) -> int:
        return self._filled

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return 8 * len(self._slots)

    @classmethod
    def of(cls, found: Iterable[Member | Refused]) -> "MemberTable":
        """The table of all members, refused ones too: why they are is told to whoever asks for one. Of an archive that
        ends badly it has what can be read of it."""
        table = cls()
        try:
            for member in islice(found, MOST_MEMBERS):
                if member.place >= _PLACES:
                    raise BadArchive("is too large")
                table._add(_code(member.name) * _PLACES + member.place)
        except BadArchive:
            if not table._filled:
                raise
        return table

    def places(self, name: str) -> list[int]:
        """Where a member of this name may be, the last one first: in a tar file it replaces those before."""
        code = _code(name)
        return sorted((slot % _PLACES for slot in self._from(code) if slot // _PLACES == code), reverse=True)

    def _add(self, slot: int) -> None:
        if 3 * self._filled >= 2 * len(self._slots):
            old, self._slots = self._slots, array("Q", bytes(2 * self.size))
            for one in filter(None, old):
                self._put(one)
        self._put(slot)
        self._filled += 1

    def _put(self, slot: int) -> None:
        last = len(self._slots) - 1
        index = slot // _PLACES & last
        while self._slots[index]:
            index = index + 1 & last
        self._slots[index] = slot

    def _from(self, code: int) -> Iterator[int]:
        """What stands where the code belongs, up to the first empty slot."""
        last = len(self._slots) - 1
        index = code & last
        while slot := self._slots[index]:
            yield slot
            index = index + 1 & last


_PLACES = 1 << 40
_CODES = (1 << 24) - 1


def _code(name: str) -> int:
    """Never 0, so that no slot that is taken is. Python's own hash differs with each process: nobody can make names
    that meet."""
    return hash(name) & _CODES or 1
