"""A small world of services for tests of the vote: what they are, and what they say."""

from typing import Any

from windmill.kernels.votes.standings import CropAnswer
from windmill.kernels.votes.vote_calibration import VoteCalibration
from windmill.kernels.votes.voting import VoteInputs, vote

LABELS = {"person": "🧑", "dog": "🐶", "cat": "🐱", "dining table": "🍽️", "clock": "⌚️"}
CALIBRATION = VoteCalibration.from_document(
    {
        "threshold": 0.5,
        "unopposed_threshold": 0.4,
        "prior": -2.0,
        "labels": LABELS,
        "vocabularies": {"coco": list(LABELS.values()), "faces": ["🙂"], "text": ["💬"], "nsfw": ["🔞"]},
        "families": {"detectors": {"share": 0.3, "silent_share": 0.2}, "captioners": {}, "people": {"share": 1}},
        "services": {
            "blip": {"evidence": "semantic", "family": "captioners", "vocabulary": "any", "voice": 2, "silence": 0.4},
            "ollama": {"display": "llama", "evidence": "semantic", "family": "captioners", "vocabulary": "any"},
            "clip": {"evidence": "classification", "vocabulary": "any", "voice": 2.5, "lag": 0.6, "silence": 0.3},
            "yolov8": {
                "display": "yolo", "evidence": "spatial", "family": "detectors", "vocabulary": "coco", "silence": 1.5,
            },
            "rtdetr": {"evidence": "spatial", "family": "detectors", "vocabulary": "coco", "silence": 1},
            "detectron2": {"evidence": "spatial", "family": "detectors", "vocabulary": "coco", "silence": 0.5},
            "face": {
                "evidence": "specialized", "family": "people", "vocabulary": "faces", "role": "face", "confirms": 2,
            },
            "pose": {"evidence": "specialized", "family": "people", "role": "pose", "confirms": 2},
            "ocr": {"evidence": "specialized", "vocabulary": "text", "role": "text"},
            "nsfw2": {"display": "nsfw", "evidence": "specialized", "vocabulary": "nsfw", "role": "nsfw"},
        },
    }
)  # fmt: skip
SERVICES = (*CALIBRATION.services, "a_new_one")

FACES = {"predictions": [{"label": "face", "emoji": "🙂", "confidence": 0.9, "bbox": [1, 2, 3, 4]}]}
POSE = {"predictions": [{"landmarks": {"nose": {"x": 0.5, "y": 0.1, "visibility": 0.9}}}]}


def caption(*emojis: str) -> dict[str, Any]:
    """A captioner's reply."""
    return {"predictions": [{"text": "words", "emoji_mappings": [{"word": "word", "emoji": one} for one in emojis]}]}


def seen(emoji: str, confidence: float = 0.8) -> dict[str, Any]:
    """A detector's or classifier's reply."""
    return {"predictions": [{"label": "thing", "emoji": emoji, "confidence": confidence}]}


def box(
    emoji: str, key: str = "box_1", confidence: float | None = 0.9, seen_by: tuple[str, ...] = ("rtdetr", "yolov8")
) -> dict[str, Any]:
    """A merged box as it is stored."""
    return {
        "box_key": key,
        "label": "thing",
        "emoji": emoji,
        "merged_bbox": {"x": 1, "y": 2, "width": 30, "height": 40},
        "detection_count": len(seen_by),
        "confidence": confidence,
        "contributing_services": list(seen_by),
    }


def crop(service: str, reply: object, box_key: str = "box_1", status: str = "success") -> CropAnswer:
    """What a service said of the crop of a box."""
    return CropAnswer(box_key, service, status, reply)  # type: ignore[arg-type]


def verdict(answers: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - other fields of Inputs
    """The vote in this world."""
    return vote(VoteInputs(answers, CALIBRATION, **more))


def items(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Winners and others by emoji."""
    return {item["emoji"]: item for item in (*result["votes"]["consensus"], *result["votes"]["runners_up"])}
