"""What services said of the crop of a merged box, in words and colours. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from windmill.kernels.votes.specialist_findings import SpecialistFinding, find
from windmill.operate.inspection.answers import colours_of, summary_of
from windmill.operate.show.image_report import Failure


@dataclass(frozen=True)
class BoxFinding:
    """What one service found; `colours` are names with values such as #b8432f."""

    service: str
    said: str
    colours: tuple[tuple[str, str], ...] = ()
    failure: Failure | None = None


def box_finding(service: str, data: Mapping[str, Any], failure: Failure | None) -> BoxFinding:
    if failure:
        return BoxFinding(service, failure.code, failure=failure)
    colours = colours_of(data)
    return BoxFinding(service, ", ".join(name for name, _ in colours) or _words(data), colours)


def _words(data: Mapping[str, Any]) -> str:
    if faces := find("face", data):
        return _counted(faces, "face", "faces")
    if bodies := find("pose", data):
        return _counted(bodies, "body", "bodies")
    return summary_of(data)


def _counted(found: SpecialistFinding, one: str, many: str) -> str:
    sure = "" if found.confidence is None else f", {found.confidence:.2f}".replace(" 0.", " .")
    return f"{found.count} {one if found.count == 1 else many}{sure}"
