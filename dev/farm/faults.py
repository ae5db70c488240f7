"""Misbehaviour on demand: which faults a service has now, and the dice that decide whom they hit. Pure.

A fault ending in -rate is the share of requests it hits; one roll decides among all rates of a service, so they
add up to at most 1. The others hold for every request. Dice start afresh at each change: same seed, same faults.
"""

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from windmill.core.errors import WindmillError
from windmill.kernels.text.near_names import did_you_mean


@dataclass(frozen=True)
class FaultSpec:
    """One fault that can be set: what it does, its value when off, and its limits."""

    meaning: str
    default: float = 0
    high: float = 1
    whole: bool = False


def _rate(meaning: str) -> FaultSpec:
    return FaultSpec(f"share of requests that {meaning}")


def _switch(meaning: str) -> FaultSpec:
    return FaultSpec(f"1 = {meaning}", whole=True)


KNOBS: dict[str, FaultSpec] = {
    "error-rate": _rate("get a 500 in the service's envelope"),
    "crash-rate": _rate("get a 500 from outside the service's own error handling"),
    "status-error-rate": _rate('get a 200 that says "status": "error"'),
    "overload-rate": _rate("are turned away with overload-status and Retry-After"),
    "timeout-rate": _rate("are never answered, until the client leaves"),
    "reset-rate": _rate("end in a connection reset"),
    "cut-reply-rate": _rate("lose the connection in the middle of the reply"),
    "html-rate": _rate("get an HTML page with status 200"),
    "cut-json-rate": _rate("get half of the JSON, complete as far as HTTP knows"),
    "empty-rate": _rate("get an empty body"),
    "binary-rate": _rate("get random bytes"),
    "nan-rate": _rate("get bare NaN and Infinity in the JSON"),
    "nul-rate": _rate("get an escaped NUL character in the JSON"),
    "surrogate-rate": _rate("get an unpaired surrogate in the JSON"),
    "wrong-type-rate": _rate("get predictions that are no list"),
    "giant-rate": _rate("get a body of giant-bytes"),
    "nesting-rate": _rate("get JSON nested nesting-depth deep"),
    "slowness": FaultSpec("seconds added to every analysis", high=600),
    "capacity": FaultSpec("analyses done at once, the rest queue; 0 = any number", high=1_000, whole=True),
    "giant-bytes": FaultSpec("size of a giant body", default=64 * 2**20, high=2**30, whole=True),
    "nesting-depth": FaultSpec("depth of nested JSON", default=100_000, high=10_000_000, whole=True),
    "overload-status": FaultSpec("status of being turned away: 429 or 503", default=503, high=503, whole=True),
    "retry-after": FaultSpec("seconds said in Retry-After", default=1, high=3_600, whole=True),
    "unhealthy": _switch("/health admits failure in the service's own way"),
    "overlap-crash": _switch("overlapping requests all lose their connection"),
    "overlap-blind": _switch("finds nothing more once requests overlapped, until it is set anew or cleared"),
    "blind": _switch("answers success and finds nothing in any picture"),
    "down": _switch("the port is closed; 0 opens it again"),
}
RATES = tuple(name for name in KNOBS if name.endswith("-rate"))


@dataclass(frozen=True)
class Faults:
    """The faults of one service: the knobs that are not at their default."""

    values: Mapping[str, float] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        return self.values.get(name, KNOBS[name].default)

    def whole(self, name: str) -> int:
        return int(self[name])

    def changed(self, changes: Mapping[str, float]) -> "Faults":
        """With these knobs turned; raises WindmillError for a value or a sum that is not allowed."""
        merged = {**self.values, **{name: _checked(name, value) for name, value in changes.items()}}
        kept = Faults({name: value for name, value in merged.items() if value != KNOBS[name].default})
        total = math.fsum(kept[name] for name in RATES)
        if total > 1 + 1e-9:
            raise _unacceptable(f"the rates add up to {total:g}", "lower some, or clear them first")
        return kept

    def strike(self, dice: random.Random) -> str | None:
        """The one rate fault that hits the next request, if any."""
        roll = dice.random()
        for name in RATES:
            roll -= self[name]
            if roll < 0:
                return name
        return None


def parse_changes(words: Iterable[str]) -> dict[str, float]:
    """`error-rate=0.3 down` as typed; a name alone means 1."""
    changes = {}
    for word in words:
        name, equals, value = word.partition("=")
        try:
            changes[name] = _checked(name, float(value) if equals else 1.0)
        except ValueError:
            raise _unacceptable(f"{name}={value!r} is not a number", "write it as error-rate=0.3") from None
    return changes


def render_faults_help() -> str:
    """One line per fault for --help."""
    return "\n".join(f"  {name:18} {knob.meaning}" for name, knob in KNOBS.items())


def _checked(name: str, value: float) -> float:
    knob = KNOBS.get(name)
    if knob is None:
        hint = did_you_mean(name, KNOBS, alike=0.4)
        raise _unacceptable(f"unknown fault {name!r}", f"{hint}known: {', '.join(KNOBS)}")
    if not 0 <= value <= knob.high or (knob.whole and value != int(value)):
        kind = "a whole number" if knob.whole else "a number"
        raise _unacceptable(f"{name}={value:g}", f"give {kind} from 0 to {knob.high:g}")
    if name == "overload-status" and value not in (429, 503):
        raise _unacceptable(f"{name}={value:g}", "give 429 or 503")
    return value


def _unacceptable(message: str, remedy: str) -> WindmillError:
    return WindmillError("USAGE", message, remedy)
