"""What the demo of talk tells of its counts."""

import json
from pathlib import Path

import numpy as np
import pytest

from dev import demo_audio
from dev.demo_audio import COUNTED, PLAN, counted_by_voice, said_counts, show_counts, write_list
from dev.voices.speakers import RECORDED, SENTENCES
from dev.voices.talks import MadeTalk, SpokenTurn
from windmill.kernels.audio.speaker_turns import SpeakerTurn
from windmill.kernels.text.word_list import read_word_list

TALK = MadeTalk(
    np.zeros(0, np.int16),
    [
        SpokenTurn(SpeakerTurn("slt", 0.0, 2.0), "we can go by train"),
        SpokenTurn(SpeakerTurn("allison", 2.5, 4.0), None),
        SpokenTurn(SpeakerTurn("kal16", 5.0, 7.0), "the bus the bus"),
    ],
)
WORDS = [
    {"speaker": "S0", "t0": 0.2, "t1": 0.4}, {"speaker": "S1", "t0": 5.2, "t1": 5.4},
    {"speaker": "S2", "t0": 3.0, "t1": 3.2},
]  # fmt: skip
SPEAKERS = [
    {"speaker_label": "S0", "word_counts": [{"word": "can", "count": 1}, {"word": "we", "count": 1}]},
    {"speaker_label": "S1", "word_counts": [{"word": "the", "count": 3}, {"word": "bus", "count": 2}]},
    {"speaker_label": "S2", "word_counts": [{"word": "the", "count": 5}]},
    {"speaker_label": "S3", "word_counts": []},
]


def test_each_sentence_of_the_demo_has_words_that_its_list_counts(tmp_path: Path) -> None:
    folder = write_list(tmp_path / "presets")
    words = read_word_list(json.loads((folder / "words" / "demo_words.json").read_text()))
    assert set(words.targets) == set(COUNTED)
    with_words = [text for text in SENTENCES if set(text.split()) & set(COUNTED)]
    assert len(with_words) > len(SENTENCES) - 4
    assert set(PLAN.voices) - set(RECORDED), "somebody's words are known"


def test_what_was_said_is_known_and_counts_are_put_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(demo_audio, "say", told.append)
    assert said_counts(TALK) == {
        ("slt", "we"): 1, ("slt", "can"): 1, ("slt", "train"): 1, ("kal16", "the"): 2, ("kal16", "bus"): 2,
    }  # fmt: skip
    assert counted_by_voice(SPEAKERS, WORDS, TALK)["kal16", "the"] == 3
    show_counts(SPEAKERS, WORDS, TALK)
    rows = [line.split() for line in told[0].strip().splitlines()]
    assert ["kal16", "the", "2", "3"] in rows
    assert ["slt", "train", "1", "0"] in rows
    assert ["allison", "the", "not", "known", "5"] in rows
    assert told[1] == "7 wanted words were said by voices whose words are known; 2 of them counted wrongly"
