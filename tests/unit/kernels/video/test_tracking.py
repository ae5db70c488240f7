"""Tracks of drawn scenes whose truth is known: who is who, how many there are, and where they are at any time."""

import itertools
import json
import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.farm.moving_scenes import moving_scene
from tests.unit.kernels.video.mot_scores import MotScores, Named, mot_scores
from windmill.kernels.video.assignment import assign
from windmill.kernels.video.track_paths import TrackPath, paths_of
from windmill.kernels.video.tracked_video import LookedAt, TrackedVideo
from windmill.kernels.video.tracking import FrameBox, FrameBoxes, TrackOptions, follow

SIZE, SECONDS, RATE = (1_280, 720), 20, 25


@given(st.integers(0, 5), st.integers(0, 5), st.randoms(use_true_random=False))
def test_pairs_cost_least_of_all_that_there_are(rows: int, columns: int, dice: random.Random) -> None:
    costs = np.array([[dice.random() for _ in range(columns)] for _ in range(rows)]).reshape(rows, columns)
    most = 0.6

    def total(pairs: Sequence[tuple[int, int]]) -> float:
        return sum(float(costs[pair]) for pair in pairs) + most * (min(rows, columns) - len(pairs))

    few, many = min(rows, columns), max(rows, columns)
    ways = (list(enumerate(way)) for way in itertools.permutations(range(many), few))
    turned = ([(b, a) for a, b in way] if rows > columns else way for way in ways)
    best = min(total([pair for pair in way if costs[pair] < most]) for way in turned)
    found = assign(costs, most)
    assert total(found) == pytest.approx(best)
    assert len({row for row, _ in found}) == len({column for _, column in found}) == len(found)


def truth_at(seconds: float, seed: int) -> Named:
    scene, names = moving_scene(seed, seconds, SIZE, float(SECONDS))
    return {name: thing.box for name, thing in zip(names, scene.things, strict=True)}


def sampled(seed: int, fps: float, *, missing: float, noise: float = 0.03) -> list[FrameBoxes]:
    """What a detector says that shakes, and that sees nothing now and then; some of what it says is unsure."""
    dice = random.Random(f"{seed}|{fps}|{missing}")
    frames = []
    for number in range(round(SECONDS * fps)):
        boxes = []
        for name, (left, top, width, height) in truth_at(number / fps, seed).items():
            if dice.random() < missing:
                continue
            shaken = [side * dice.gauss(0, noise) for side in (width, height, width, height)]
            box = (left + shaken[0], top + shaken[1], width + shaken[2], height + shaken[3])
            boxes.append(FrameBox(name.rpartition(" ")[0], dice.uniform(0.3, 0.95), box))
        dice.shuffle(boxes)
        frames.append(FrameBoxes(number / fps, boxes))
    return frames


def tracked(frames: Sequence[FrameBoxes]) -> list[TrackPath]:
    return paths_of(follow(frames, TrackOptions()), frames, float(SECONDS))


def scores(paths: Sequence[TrackPath], seed: int) -> MotScores:
    """Of each frame of the video, those that no detector has looked at too."""
    times = [number / RATE for number in range(SECONDS * RATE)]
    found = [{str(path.number): box for path in paths if (box := path.box_at(time))} for time in times]
    return mot_scores([truth_at(time, seed) for time in times], found)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_everybody_keeps_a_track_of_their_own_although_some_boxes_are_missing(seed: int, missing: float) -> None:
    frames = sampled(seed, 4, missing=missing)
    paths = tracked(frames)
    result = scores(paths, seed)
    assert result.switches == 0, result
    assert result.mota > 0.9, result
    assert result.idf1 > 0.95, result
    counts = Counter(path.label for path in paths)
    assert counts == {"person": 2, "car": 1, "dog": 1, "bus": 1, "bicycle": 1}
    by_frame = sum(len(frame.boxes) for frame in frames)
    assert by_frame > 40 * counts.total(), "to count each frame anew is to count everybody many times"


def test_boxes_stand_although_a_detector_shakes() -> None:
    still = [FrameBoxes(n / 4, [FrameBox("car", 0.9, (100 + (n % 2) * 6, 100, 100, 50))]) for n in range(20)]
    (path,) = tracked(still)
    lefts = [box[0] for n in range(50) if (box := path.box_at(1 + n / 25))]
    assert max(np.abs(np.diff(lefts))) < 1.0
    assert np.mean(lefts) == pytest.approx(103, abs=1)


def test_a_track_goes_on_over_a_gap_and_not_over_a_longer_one() -> None:
    def seen(times: Sequence[float]) -> int:
        every = [n / 4 for n in range(60)]
        here = [FrameBoxes(t, [FrameBox("dog", 0.9, (10 + 20 * t, 50, 60, 40))] if t in times else []) for t in every]
        return len(tracked(here))

    assert seen([0, 0.25, 0.5, 2.25, 2.5]) == 1
    assert seen([0, 0.25, 0.5, 4.25, 4.5]) == 2


def test_a_cut_ends_all_tracks_and_nobody_walks_through_it() -> None:
    box = FrameBox("person", 0.9, (100, 100, 50, 100))
    frames = [FrameBoxes(n / 4, [box], cut=n == 4) for n in range(8)]
    before, after = tracked(frames)
    assert (before.ends, after.begins) == (1.0, 1.0)
    assert (before.begins, after.ends) == (0.0, SECONDS)


def test_what_is_seen_once_is_no_track_unless_there_is_one_frame() -> None:
    once = FrameBox("kite", 0.9, (0, 0, 20, 20))
    assert tracked([FrameBoxes(0, [once]), FrameBoxes(0.25, [])]) == []
    (path,) = tracked([FrameBoxes(0, [once])])
    assert path.box_at(0) == (0, 0, 20, 20)


def test_one_box_with_another_name_does_not_end_a_track() -> None:
    names = ["car", "car", "truck", "car", "car"]
    frames = [FrameBoxes(n / 4, [FrameBox(name, 0.8, (50, 50, 80, 40))]) for n, name in enumerate(names)]
    (path,) = tracked(frames)
    assert path.label == "car"


def test_the_documents_tell_the_same_story() -> None:
    frames = sampled(1, 4, missing=0.0)
    tracks = follow(frames, TrackOptions())
    paths = paths_of(tracks, frames, float(SECONDS))
    silent = {"yolov8": "SERVICE_TIMEOUT"}
    looked = [LookedAt(25 * n // 4, 7, n == 3, silent if n == 3 else {}) for n in range(len(frames))]
    services = [[("yolov8",)] * len(frame.boxes) for frame in frames]
    video = TrackedVideo(*SIZE, float(SECONDS), SECONDS * RATE, looked, frames, services, tracks, paths)
    stats = video.stats()
    assert (stats["total_frames"], stats["processed_frames"], stats["failed_frames"]) == (500, 80, 1)
    assert stats["failures"] == {"yolov8": {"SERVICE_TIMEOUT": 1}}
    assert (stats["total_tracks"], stats["track_stats"]["person"], stats["video_duration"]) == (6, 2, 20.0)
    lines = [json.loads(line) for line in video.detection_lines()]
    assert len(lines) == stats["total_detections"] == sum(stats["detection_stats"].values())
    assert {one["track"] for one in lines} - {None} == {1, 2, 3, 4, 5, 6}
    again = [TrackPath.of(one) for one in video.tracks_document()["tracks"]]
    assert [one.name for one in again] == [path.name for path in paths]
    assert again[0].box_at(3.3) == pytest.approx(paths[0].box_at(3.3), abs=0.2)
    timeline = video.timeline()
    assert set(timeline["labels"]) == set(stats["track_stats"])
    assert all(begin < end <= SECONDS for spans in timeline["labels"].values() for begin, end in spans)
    cues = [line for line in video.boxes_track().splitlines() if "-->" in line]
    assert (len(cues), cues[0]) == (80, "00:00:00.000 --> 00:00:00.250")


def test_scores_are_those_of_the_definitions() -> None:
    box, far = (0.0, 0.0, 10.0, 10.0), (100.0, 0.0, 10.0, 10.0)
    truth: list[Named] = [{"a": box, "b": far}] * 4
    assert mot_scores(truth, [{"1": box, "2": far}] * 4) == MotScores(1.0, 1.0, 0, 0, 0)
    as_before: Named = {"1": box, "2": far}
    exchanged: Named = {"2": box, "1": far}
    swapped = [as_before] * 2 + [exchanged] * 2
    assert mot_scores(truth, swapped) == MotScores(1 - 2 / 8, 0.5, 0, 0, 2)
    strange: list[Named] = [{"1": box, "3": (50, 50, 5, 5)}] * 4
    assert mot_scores(truth, strange) == MotScores(1 - 8 / 8, 0.5, 4, 4, 0)
