"""The steps that correct and count, with the files that a job would give them."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.unit.kernels.talk_text import SINGLISH
from windmill.core.errors import WindmillError
from windmill.jobs.step import JobView, StepInputs, TaskResult
from windmill.jobs.task_run import GivenTask
from windmill.pipelines.audio.correct import AudioCorrect
from windmill.pipelines.audio.count import AudioCount, TalkResult
from windmill.pipelines.audio.stages import StepShare, progress_of
from windmill.pipelines.audio.word_lists import find_word_list
from windmill.storage.jobs.rows import TaskKey

SESSION = uuid.UUID(int=7)
TRANSCRIPT = {
    "speakers": [{"label": "SPEAKER_00", "segments": 1, "seconds": 2.0}],
    "words": [
        {"t0": 0.0, "t1": 0.4, "word": "Pie", "confidence": 0.9, "speaker": "SPEAKER_00"},
        {"t0": 0.4, "t1": 0.8, "word": "say", "confidence": 0.9, "speaker": "SPEAKER_00"},
        {"t0": 0.8, "t1": 1.0, "word": "lah.", "confidence": 0.9, "speaker": "SPEAKER_00", "alternatives": []},
        {"t0": 3.0, "t1": 3.2, "word": "sia!", "confidence": 0.9, "speaker": "SPEAKER_01"},
    ],
}


def written(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


def task(folder: Path, files: dict[str, list[Path]], inputs: dict[str, Any]) -> GivenTask:
    job = JobView(uuid.UUID(int=1), "talk_v1", inputs, {}, "")
    (asked,) = AudioCorrect().plan(job, StepInputs({"each": [{}]}, {}))
    return GivenTask("1-0-0", job, dict(asked), {"each": [{}]}, files, folder, lambda _: None, key=TaskKey(1, 0, 0))


async def counted(folder: Path, inputs: dict[str, Any]) -> tuple[TaskResult, list[TalkResult], dict[str, Any]]:
    """Both steps, one after the other; what would be stored, and the counts."""
    transcript = written(folder / "1.json", TRANSCRIPT)
    corrected = await AudioCorrect(lambda _: SINGLISH).run(task(folder, {"transcript": [transcript]}, inputs))
    saved: list[TalkResult] = []

    async def save(result: TalkResult) -> bool:
        saved.append(result)
        return False

    files = {"transcript": [transcript], "hits": [corrected.artifacts[0].path]}
    done = await AudioCount(save).run(task(folder, files, inputs))
    return done, saved, json.loads(done.artifacts[0].path.read_text())


async def test_a_talk_is_corrected_counted_by_speaker_and_stored_with_what_was_heard(tmp_path: Path) -> None:
    done, (saved,), document = await counted(tmp_path, {"session": str(SESSION)})
    assert document["counts"] == {"SPEAKER_00": {"paiseh": 1, "lah": 1}, "SPEAKER_01": {"sia": 1}}
    assert (saved.session, saved.rule.name, saved.rule.version) == (SESSION, "singlish_v1", 2)
    assert [one.label for one in saved.talk.speakers] == ["SPEAKER_00", "SPEAKER_01"]
    assert [one.word for one in saved.talk.words] == ["Pie", "say", "lah.", "sia!"]
    assert saved.counted.hits[0].raw == "Pie say"
    assert "another job" in done.warnings[0]


async def test_a_recording_that_is_no_session_is_counted_and_stored_nowhere(tmp_path: Path) -> None:
    done, saved, document = await counted(tmp_path, {})
    assert (saved, list(done.warnings), document["counts"]["SPEAKER_01"]) == ([], [], {"sia": 1})


def test_an_own_list_goes_before_the_one_that_ships_and_mistakes_in_it_are_told(tmp_path: Path) -> None:
    assert find_word_list("singlish_v1", tmp_path) == SINGLISH
    (tmp_path / "words").mkdir()
    own = {"name": "singlish_v1", "version": 9, "rules": [], "words": [{"word": "lah", "category": "particle"}]}
    path = written(tmp_path / "words" / "singlish_v1.json", own)
    assert find_word_list("singlish_v1", tmp_path).version == 9
    written(path, {**own, "words": [{"word": "Lah lah", "category": "loud", "risky": True}]})
    with pytest.raises(WindmillError, match="risky"):
        find_word_list("singlish_v1", tmp_path)
    written(path, {**own, "sounds": [{"say": "lah lah", "phones": "L A LA"}, {"say": "lor"}]})
    with pytest.raises(WindmillError, match=r"sounds\[1\].phones"):
        find_word_list("singlish_v1", tmp_path)
    written(path, {**own, "sounds": [{"say": "lah lah", "phones": "L A LA"}]})
    with pytest.raises(WindmillError, match=r"sounds\[0\] is 'L A LA', and needs .* phones of the CMU dictionary"):
        find_word_list("singlish_v1", tmp_path)
    for name in ("klingon_v1", "../singlish_v1", ""):
        with pytest.raises(WindmillError, match="no list"):
            find_word_list(name, tmp_path)


@pytest.mark.parametrize(
    ("done", "stage", "percent"),
    [
        ([], "concatenating", 0),
        ([0.5, 0, 0, 0, 0, 0, 0, 0], "concatenating", 5),
        ([1, 1, 0.5, 0, 0, 0, 0, 0], "diarizing", 27),
        ([1, 1, 1, 0.5, 0, 0, 0, 0], "transcribing", 60),
        ([1, 1, 1, 1, 1, 1, 0, 0], "saving_results", 88),
        ([1, 1, 1, 1, 1, 1, 1, 0.5], "generating_samples", 97),
        ([1, 1, 1, 1, 1, 1, 1, 1], "generating_samples", 100),
    ],
)
def test_the_stage_and_the_per_cent_follow_the_steps(done: list[float], stage: str, percent: int) -> None:
    names = ("join", "vad", "diarise", "transcribe", "attribute", "correct", "count", "samples")
    found = progress_of([StepShare(f"audio_{name}", share) for name, share in zip(names, done, strict=False)])
    assert (found.stage, found.percent) == (stage, percent)
