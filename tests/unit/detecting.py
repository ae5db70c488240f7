"""Detections for tests: short to write, and made by hypothesis."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from windmill.kernels.boxes.box_calibration import BoxCalibration, DetectorCalibration

SERVICES = ("detectron2", "rtdetr", "yolov8")
CALIBRATION = BoxCalibration(
    detectors={
        "detectron2": DetectorCalibration(
            least=0.5, offset=0.4, slope=1.2, silence=0.7, looseness=0.045, vocabulary="few"
        ),
        "rtdetr": DetectorCalibration(least=0.25, offset=0.0, slope=2.2, silence=1.3, looseness=0.033),
        "yolov8": DetectorCalibration(least=0.25, offset=0.2, slope=2.1, silence=1.4, looseness=0.039),
    },
    vocabularies={"few": frozenset({"person", "cup", "car", "truck", "couch", "tie"})},
)
Place = tuple[float, float, float, float]


def seen(label: str, place: Place, confidence: float = 0.8, **more: object) -> dict[str, Any]:
    x, y, width, height = place
    return {"label": label, "confidence": confidence, "bbox": {"x": x, "y": y, "width": width, "height": height}} | more


def moved(answers: Mapping[str, list[dict[str, Any]]], x: int, y: int) -> dict[str, list[dict[str, Any]]]:
    """All boxes shifted."""
    return {service: [_shifted(one, x, y) for one in predictions] for service, predictions in answers.items()}


def _shifted(prediction: dict[str, Any], x: int, y: int) -> dict[str, Any]:
    box = prediction["bbox"]
    return prediction | {"bbox": box | {"x": box["x"] + x, "y": box["y"] + y}}


_sides = st.integers(8, 60)
_detection = st.builds(
    seen,
    st.sampled_from(["person", "car", "truck"]),
    st.tuples(st.integers(0, 50), st.integers(0, 50), _sides, _sides),
    st.integers(250, 1000).map(lambda thousandths: thousandths / 1000),
    emoji=st.sampled_from(["", "🧑", "🚗"]),
)
any_answers = st.dictionaries(st.sampled_from(SERVICES), st.lists(_detection, max_size=6))
"""Crowded: boxes overlap, repeat each other, and have rivals."""
