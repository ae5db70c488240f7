"""pose: 33 landmarks of at most one person, placed on the most prominent one; simulated where nothing is known."""

import math
import random
from collections.abc import Mapping

from dev.farm.answers import face
from dev.farm.answers.dice import Prediction, clipped, dice
from dev.farm.pictures import Picture
from dev.farm.truth import PixelBox, Thing

_MISSED = 0.12
_SMALLEST_HEIGHT = 60
_Point = tuple[float, float]

# Landmarks of a standing figure as fractions of a person's box; the figure's left is on the viewer's right.
_MIDDLE = {"nose": (0.5, 0.09)}
_SIDES = {
    "eye_inner": (0.53, 0.075), "eye": (0.55, 0.075), "eye_outer": (0.57, 0.076), "ear": (0.61, 0.085),
    "shoulder": (0.72, 0.21), "elbow": (0.82, 0.37), "wrist": (0.86, 0.51), "pinky": (0.88, 0.545),
    "index": (0.865, 0.55), "thumb": (0.845, 0.535), "hip": (0.63, 0.53), "knee": (0.65, 0.75),
    "ankle": (0.66, 0.94), "heel": (0.645, 0.965), "foot_index": (0.69, 0.98),
}  # fmt: skip
_MOUTH = {"mouth_left": (0.54, 0.115), "mouth_right": (0.46, 0.115)}


def answer(picture: Picture, seed: int) -> list[Prediction]:
    """One prediction, or none where no person is seen."""
    rng = dice("pose", seed, picture.identity)
    figure = _figure_without_truth(picture) if picture.truth is None else _figure(picture.truth.things)
    if figure is None or rng.random() < _MISSED:
        return []
    return [_prediction(figure, picture, rng)]


def standing(picture: Picture) -> list[Prediction]:
    """The prediction for a picture that a person fills."""
    return [_prediction((0, 0, picture.width, picture.height), picture, random.Random(0))]


def _prediction(figure: PixelBox, picture: Picture, rng: random.Random) -> Prediction:
    points = {name: (x + rng.gauss(0, 0.012), y + rng.gauss(0, 0.008)) for name, (x, y) in _standing(figure).items()}
    return prediction({name: _landmark(point, picture, rng) for name, point in points.items()}, points)


def prediction(landmarks: Mapping[str, Mapping[str, float]], points: Mapping[str, _Point]) -> Prediction:
    """What the service says of one body; the points are the landmarks in pixels, for the angles of its joints."""
    angles = {
        f"{side}_{joint}": _angle(points[f"{side}_{a}"], points[f"{side}_{joint}"], points[f"{side}_{b}"])
        for side in ("left", "right")
        for joint, a, b in (("elbow", "shoulder", "wrist"), ("knee", "hip", "ankle"))
    }
    return {"landmarks": landmarks, "pose_analysis": {"joint_angles": angles}}


def _figure(things: tuple[Thing, ...]) -> PixelBox | None:
    """The full figure of the biggest person; of someone drawn head and shoulders the rest lies below the box."""
    people = [thing for thing in things if thing.label == "person" and thing.box[3] >= _SMALLEST_HEIGHT]
    if not people:
        return None
    person = max(people, key=lambda thing: thing.box[2] * thing.box[3])
    return _below(person.face) if person.face and person.face[3] * 4 > person.box[3] else person.box


def _figure_without_truth(picture: Picture) -> PixelBox | None:
    """A guess: below a face that was really found, else filling a picture as tall as a person."""
    faces = face.detected(picture)
    if faces:
        return _below(max(faces, key=lambda found: found[1])[0])
    tall = picture.height > 1.4 * picture.width and picture.height >= _SMALLEST_HEIGHT
    return (0, 0, picture.width, picture.height) if tall else None


def _below(found: PixelBox) -> PixelBox:
    x, y, width, height = found
    return x - width, y - height // 4, 3 * width, 7 * height


def _standing(figure: PixelBox) -> dict[str, _Point]:
    """Landmarks in pixels of the picture."""
    fractions: dict[str, _Point] = _MIDDLE | _MOUTH
    for part, (across, down) in _SIDES.items():
        fractions |= {f"left_{part}": (across, down), f"right_{part}": (1 - across, down)}
    x, y, width, height = figure
    return {name: (x + across * width, y + down * height) for name, (across, down) in fractions.items()}


def _landmark(point: _Point, picture: Picture, rng: random.Random) -> dict[str, float]:
    x, y = point[0] / picture.width, point[1] / picture.height
    outside = max(0 - x, x - 1, 0 - y, y - 1, 0)
    seen = clipped(0.98 - 4 * outside - abs(rng.gauss(0, 0.02)))
    return {
        "x": round(x, 3),
        "y": round(y, 3),
        "z": round(rng.gauss(-0.3, 0.25), 3),
        "visibility": round(seen, 3),
    }


def _angle(a: _Point, joint: _Point, b: _Point) -> float:
    """Degrees between the two limbs, 180 being straight."""
    towards = [math.atan2(end[1] - joint[1], end[0] - joint[0]) for end in (a, b)]
    degrees = abs(math.degrees(towards[0] - towards[1]))
    return round(min(degrees, 360 - degrees), 1)
