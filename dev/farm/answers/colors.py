"""colors: a real analysis, with one colour system switched on as in the sample configuration."""

from dev.farm.answers.dice import Prediction
from dev.farm.answers.palette import Marker, markers_of
from dev.farm.pictures import Picture


def answer(picture: Picture, seed: int) -> list[Prediction]:  # noqa: ARG001 - pixels decide, no dice
    """One prediction: the primary colour and the palette."""
    markers = markers_of(picture)
    palette = {"colors": [_entry(marker) for marker in markers], "temperature": _temperature(markers)}
    return [{"primary": _entry(markers[0]), "palette": palette}]


def _entry(marker: Marker) -> dict[str, str]:
    return {
        "copic": f"{marker.name} ({marker.code})",
        "hex": marker.hex,
        "temperature": marker.temperature,
    }


def _temperature(markers: list[Marker]) -> str:
    kinds = [marker.temperature for marker in markers]
    cool, warm = kinds.count("cool"), kinds.count("warm")
    return "neutral" if cool == warm else "cool" if cool > warm else "warm"
