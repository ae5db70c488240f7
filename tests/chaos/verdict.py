"""What a fault test left behind, counted, and what has to be true of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from tests.chaos.pictures import Pictures
from tests.integration.fleet import Message

Pair = tuple[int, str]


@dataclass(frozen=True)
class Verdict:
    """Counts after the last job. A pair is one image for one service."""

    pairs: int
    rows: int
    missing: int
    strange: int
    """Rows of pairs that were never submitted."""
    misjudged: list[str]
    """Good images that are no success, and bad ones without the code that is theirs."""
    parked: int
    parked_pairs: int
    parked_wrongly: list[str]
    unparked: int
    """Bad pairs that are not in a failed queue."""
    later_tries: int
    """Good pairs whose row says that it took more than one try."""
    left: int
    """Messages in work queues and retry tiers."""
    calls_beyond: int
    """HTTP calls beyond one for each pair that a service gets to see; our own test pictures included."""
    answers_beyond: int
    """Of those, the ones that were answered with 200."""

    @classmethod
    def of(
        cls,
        pictures: Pictures,
        services: Sequence[str],
        rows: Sequence[asyncpg.Record],
        parked: Mapping[str, Sequence[Message]],
        left: int,
        calls: int,
        answers: int,
    ) -> "Verdict":
        images = [*pictures.good, *pictures.bad]
        pairs: set[Pair] = {(image, service) for image in images for service in services}
        found = {(row["image_id"], row["service"]): row for row in rows}
        assert len(found) == len(rows), "the primary key lets no pair have two rows"
        in_failed = Counter((message.image_id, service) for service in services for message in parked[service])
        bad_pairs = {pair for pair in pairs if pair[0] in pictures.bad}
        return cls(
            pairs=len(pairs),
            rows=len(rows),
            missing=len(pairs - found.keys()),
            strange=len(found.keys() - pairs),
            misjudged=[_said(row) for pair, row in found.items() if pair in pairs and not _right(row, pictures)],
            parked=in_failed.total(),
            parked_pairs=len(in_failed),
            parked_wrongly=[f"{pair}" for pair in in_failed if pair not in bad_pairs],
            unparked=len(bad_pairs - in_failed.keys()),
            later_tries=sum(row["attempt"] > 1 for row in found.values() if row["image_id"] in pictures.good),
            left=left,
            calls_beyond=calls - pictures.sent * len(services),
            answers_beyond=answers - len(pictures.good) * len(services),
        )

    def must_be_whole(self, *, all_parked: bool = True) -> None:
        """Every pair has its one right row, only the truly bad are parked, and nothing is left over."""
        assert (self.missing, self.strange, self.rows) == (0, 0, self.pairs), self.line()
        assert not self.misjudged, f"{len(self.misjudged)} misjudged: {self.misjudged[:5]}\n{self.line()}"
        assert not self.parked_wrongly, f"{len(self.parked_wrongly)} parked: {self.parked_wrongly[:5]}\n{self.line()}"
        assert self.left == 0, self.line()
        assert not all_parked or self.unparked == 0, self.line()

    def line(self) -> str:
        twice = self.parked - self.parked_pairs
        return (
            f"{self.pairs:,} pairs, {self.rows:,} rows, {self.missing} missing, {len(self.misjudged)} misjudged, "
            f"{self.parked_pairs} parked" + (f" ({twice} of them twice)" if twice else "") + f", {self.left} left, "
            f"{self.later_tries} good by a later try, {self.calls_beyond} calls more than needed "
            f"({self.answers_beyond} answered)"
        )


def _right(row: asyncpg.Record, pictures: Pictures) -> bool:
    code = pictures.bad.get(row["image_id"])
    return bool(row["error_code"] == code and row["status"] == ("error" if code else "success"))


def _said(row: asyncpg.Record) -> str:
    return f"{row['image_id']} {row['service']}: {row['error_code']} try {row['attempt']} {row['error_message']}"
