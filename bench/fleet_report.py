"""The tables of the fleet benchmark, and its last line."""

import os
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.fleet_rounds import RoundResult
from bench.fleet_side import PROGRAMS, WORKER, Spent, mean
from windmill.kernels.text.tables import render_table

COUNTED = (WORKER, *PROGRAMS, "PostgreSQL", "RabbitMQ")
"""What an image costs is the sum of these; the sessions in PostgreSQL are a part of PostgreSQL."""
SESSIONS = tuple(f"PostgreSQL for {role}" for role in PROGRAMS)
SMALLEST_BYTES = 40.0

Bytes = Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class Report:
    """All that was measured of one tree. `sizes`: bytes per image by table and relation, compact and as it stood."""

    rounds: Sequence[RoundResult]
    sizes: Mapping[str, Bytes]

    @property
    def loaded(self) -> Spent:
        return mean([one.loaded for one in self.rounds])

    @property
    def idle(self) -> Spent:
        return mean([one.idle for one in self.rounds])

    @property
    def cpu_ms(self) -> float:
        return 1000 * sum(self.loaded.get(part, 0.0) for part in COUNTED)

    @property
    def idle_ms(self) -> float:
        return 1000 * sum(self.idle.get(part, 0.0) for part in (*PROGRAMS, *SESSIONS))

    @property
    def kilobytes(self) -> float:
        return sum(self.sizes["compact"].values()) / 1000

    def latencies(self, what: str) -> list[float]:
        return [seconds for one in self.rounds for seconds in one.latencies[what]]


def render(found: Mapping[str, Report]) -> str:
    """All tables."""
    parts = [
        _compared("CPU-ms an image", found, _parts(found, lambda one: one.loaded), lambda one: one.loaded, 1000),
        _compared("idle, CPU-ms a second", found, (*PROGRAMS, *SESSIONS), lambda one: one.idle, 1000),
        _compared("bytes an image", found, _relations(found), _named_bytes("compact"), 1),
        _compared("bytes an image as it stood", found, _relations(found, tables=True), _table_bytes("as it stood"), 1),
        _times(found),
        _votes(found),
        f"load {os.getloadavg()[0]:.1f}",
        last_line(found),
    ]
    return "\n".join(parts)


def last_line(found: Mapping[str, Report]) -> str:
    """The result in one line."""
    now, before = found["now"], found.get("before")
    line = f"fleet: {now.cpu_ms:.1f} CPU-ms/image, {now.idle_ms:.1f} ms/s idle, {now.kilobytes:.1f} kB/image"
    return f"{line} = {now.cpu_ms / before.cpu_ms:.2f} x before" if before else line


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of the values does not exceed; NaN of none."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else float("nan")


def _compared(
    title: str,
    found: Mapping[str, Report],
    parts: Iterable[str],
    values: Callable[[Report], Mapping[str, float]],
    factor: float,
) -> str:
    """A row for each part, and how the first column compares with the second."""
    rows: list[list[object]] = []
    for part in parts:
        amounts = [values(one).get(part, 0.0) * factor for one in found.values()]
        rows.append([part, *(f"{one:,.2f}" for one in amounts), _ratio(amounts)])
    return render_table([title, *found, "ratio"], rows)


def _ratio(amounts: Sequence[float]) -> str:
    return f"{amounts[0] / amounts[1]:.2f}" if len(amounts) > 1 and amounts[1] else ""


def _parts(found: Mapping[str, Report], values: Callable[[Report], Mapping[str, float]]) -> list[str]:
    return list({part: None for one in found.values() for part in values(one)})


def _relations(found: Mapping[str, Report], *, tables: bool = False) -> list[str]:
    """What takes most space first; what takes next to none is left out."""
    most: dict[str, float] = {}
    for one in found.values():
        sizes = (_table_bytes if tables else _named_bytes)("as it stood" if tables else "compact")(one)
        most |= {name: max(size, most.get(name, 0.0)) for name, size in sizes.items()}
    return [name for name in sorted(most, key=most.__getitem__, reverse=True) if most[name] >= SMALLEST_BYTES]


def _named_bytes(title: str) -> Callable[[Report], dict[str, float]]:
    return lambda one: {name: size for (_, name), size in one.sizes[title].items()}


def _table_bytes(title: str) -> Callable[[Report], dict[str, float]]:
    def by_table(one: Report) -> dict[str, float]:
        found: dict[str, float] = {}
        for (owner, _), size in one.sizes[title].items():
            found[owner] = found.get(owner, 0.0) + size
        return found

    return by_table


def _times(found: Mapping[str, Report]) -> str:
    names = next(iter(found.values())).rounds[0].latencies
    rows: list[list[object]] = []
    for what in names:
        row: list[object] = [what]
        for one in found.values():
            taken = one.latencies(what)
            row += [f"{1000 * statistics.median(taken):.0f}" if taken else "-", f"{1000 * percentile(taken, 0.99):.0f}"]
        rows.append(row)
    return render_table(["ms from", *(f"{name} {what}" for name in found for what in ("p50", "p99"))], rows)


def _votes(found: Mapping[str, Report]) -> str:
    rows: list[list[object]] = [
        ["one by one", *(_mean(each.votes_one_by_one for each in one.rounds) for one in found.values())],
        ["all at once", *(_mean(each.votes_at_once for each in one.rounds) for one in found.values())],
        ["images a second", *(_mean(each.images_per_second for each in one.rounds) for one in found.values())],
    ]
    return render_table(["votes written for an image", *found], rows)


def _mean(values: Iterable[float]) -> str:
    return f"{statistics.mean(values):.2f}"
