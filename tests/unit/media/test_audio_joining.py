"""Chunks of a recording become one file that keeps its time. What is said in them is heard again afterwards."""

import hashlib
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, permutations
from pathlib import Path

import numpy as np
import pytest

from dev.farm.audio.tones import hear, say
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.kernels.audio.pcm import RATE, Pcm
from windmill.media.audio.decoding import AudioTools, decode, open_audio_tools
from windmill.media.audio.joining import ChunkFile, JoinedTalk, join_chunks
from windmill.media.audio.wave_files import open_wave, write_wave

SAID = ["lah", "lor", "meh", "sia", "makan", "kopi"]


@dataclass(frozen=True)
class Sent:
    number: int
    sha256: str
    start_ms: int | None = None
    duration_ms: int | None = None


def tools(**settings: str) -> AudioTools:
    return open_audio_tools(Settings.from_env({name.upper(): value for name, value in settings.items()}))


def sent(path: Path, number: int, start_ms: int | None = None) -> ChunkFile:
    return ChunkFile(Sent(number, hashlib.sha256(path.read_bytes()).hexdigest(), start_ms), path)


def copied(tools: AudioTools, path: Path, target: Path, *, joined: bool = False) -> int:
    """Decodes WAV files without ffmpeg, for tests that decode thousands."""
    assert not joined
    sound = open_wave(path)
    target.write_bytes(sound.tobytes())
    return len(sound)


def words(talk: JoinedTalk) -> list[str]:
    return [one.word for one in hear(np.asarray(open_wave(talk.path)))]


def joined(folder: Path, chunks: Sequence[ChunkFile], expected: int = 0) -> JoinedTalk:
    folder.mkdir(exist_ok=True)
    return join_chunks(tools(), chunks, folder, lambda _: None, expected)


def chunk_files(folder: Path, words: Sequence[str] = SAID) -> list[ChunkFile]:
    """Chunks of two words each, the last word of each being the same."""
    return [
        sent(write_wave(folder / f"{number}.wav", say([word, "alamak"])), number) for number, word in enumerate(words)
    ]


@pytest.mark.parametrize("every", [10, pytest.param(1, marks=pytest.mark.slow(reason="10 s: all 120 orders"))])
def test_all_orders_of_six_chunks_with_duplicates_and_a_gap_give_the_same_bytes(every: int, tmp_path: Path) -> None:
    chunks = [one for one in chunk_files(tmp_path, [*SAID, "shiok"]) if one.facts.number != 3]
    ours, digests = tools(), set()
    for order in islice(permutations(chunks), 0, None, every):
        talk = join_chunks(ours, [*order, order[0], order[2]], tmp_path, lambda _: None, 7, copied)
        digests.add(hashlib.sha256(talk.path.read_bytes()).hexdigest())
        (gap,) = talk.gaps
        assert gap == pytest.approx((3 * 0.76, 4 * 0.76), abs=0.001)
    assert len(digests) == 1
    left = [word for word in (*SAID, "shiok") if word != "sia"]
    assert words(talk) == [part for word in left for part in (word, "alamak")]


def test_two_contents_under_one_number_are_refused(tmp_path: Path) -> None:
    one, two, *_ = chunk_files(tmp_path)
    with pytest.raises(WindmillError, match=r"CONFLICT.*chunk 0 is there with two contents"):
        joined(tmp_path / "out", [one, sent(two.path, 0)])


def test_chunks_that_are_missing_at_the_end_are_a_gap_and_a_broken_one_shifts_nothing(tmp_path: Path) -> None:
    chunks = chunk_files(tmp_path)
    chunks[2].path.write_bytes(b"RIFF\x00\x00\x00\x00WAVEnonsense" * 40)
    talk = joined(tmp_path / "out", [*chunks[:2], sent(chunks[2].path, 2), *chunks[3:5]], expected=6)
    assert talk.seconds == pytest.approx(6 * 0.76, abs=0.01)
    assert [gap[0] for gap in talk.gaps] == pytest.approx([2 * 0.76, 5 * 0.76], abs=0.01)
    assert any("chunk 2 cannot be decoded" in one for one in talk.warnings)
    assert hear(np.asarray(open_wave(talk.path)))[4].t0 == pytest.approx(3 * 0.76, abs=0.05)


def test_two_recorders_in_turn_that_overlap_say_nothing_twice(tmp_path: Path) -> None:
    whole = say(["lah", "lor", "meh", "sia"] * 4)
    noisy = whole + np.asarray(np.random.default_rng(1).normal(0, 60, len(whole)), np.int16)
    parts = [(0, 2.2), (1.5, 4.0), (3.2, len(whole) / RATE)]
    slips = (0, 70, -60)  # the clocks of recorders are not exact
    chunks = [
        sent(
            write_wave(tmp_path / f"{number}.wav", noisy[round(a * RATE) : round(b * RATE)]),
            number,
            round(a * 1e3) + slip,
        )
        for number, ((a, b), slip) in enumerate(zip(parts, slips, strict=True))
    ]
    talk = joined(tmp_path / "out", chunks)
    assert words(talk) == ["lah", "lor", "meh", "sia"] * 4
    assert talk.seconds == pytest.approx(len(whole) / RATE, abs=0.002)
    assert not talk.gaps


def test_what_the_clock_says_was_not_recorded_is_silence(tmp_path: Path) -> None:
    paths = [write_wave(tmp_path / f"{number}.wav", say(["lah"])) for number in (0, 1)]
    talk = joined(tmp_path / "out", [sent(paths[0], 0, 5_000), sent(paths[1], 1, 8_000)])
    assert talk.gaps == [(0.38, 3.0)]
    assert talk.seconds == pytest.approx(3.38)


FORMATS = {
    "webm": ("libopus", "webm"),
    "ogg": ("libopus", "ogg"),
    "mp3": ("libmp3lame", "mp3"),
    "m4a": ("aac", "mp4"),
    "flac": ("flac", "flac"),
    "wav": ("pcm_s16le", "wav"),
}


def encoded(folder: Path, sound: Pcm, suffix: str) -> Path:
    codec, container = FORMATS[suffix]
    source, target = write_wave(folder / "plain.wav", sound), folder / f"encoded.{suffix}"
    pieces = (
        ("-movflags", "frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "500000")
        if container == "mp4"
        else ()
    )
    small = ("-cluster_time_limit", "500") if container == "webm" else ()
    command = [tools().program, "-v", "error", "-y", "-i", source, "-ar", "48000", "-c:a", codec, *pieces, *small]
    subprocess.run([*map(str, command), "-f", container, str(target)], check=True)
    return target


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_of_every_usual_kind_is_decoded(tmp_path: Path, suffix: str) -> None:
    talk = joined(tmp_path / "out", [sent(encoded(tmp_path, say(SAID), suffix), 0)])
    assert words(talk) == SAID
    assert talk.seconds == pytest.approx(len(say(SAID)) / RATE, abs=0.1)


def _cuts(data: bytes, suffix: str) -> list[int]:
    """Where a recorder would cut: an MP4 between fragments, samples between two of them, the others anywhere."""
    if suffix != "m4a":
        return [len(data) * share // 14 * 2 for share in (2, 3, 4, 6)]
    fragments = [found.start() - 4 for found in re.finditer(b"moof", data)]
    return [fragments[len(fragments) * share // 7] for share in (2, 3, 4, 6)]


@pytest.mark.parametrize("suffix", ["webm", "m4a", "wav", "ogg"])
def test_continuations_without_a_header_are_joined_by_their_bytes(tmp_path: Path, suffix: str) -> None:
    data = encoded(tmp_path, say(SAID * 3), suffix).read_bytes()
    marks = [0, *_cuts(data, suffix), len(data)]
    chunks = []
    for number, (start, end) in enumerate(pairwise(marks)):
        path = tmp_path / f"chunk_{number}"
        path.write_bytes(data[start:end])
        chunks.append(sent(path, number))
    talk = joined(tmp_path / "out", chunks[::-1])
    assert words(talk) == SAID * 3
    lost = joined(tmp_path / "lost", [one for one in chunks if one.facts.number != 2])
    assert len(lost.gaps) == 1
    heard = words(lost)
    assert set(heard) <= set(SAID)
    assert 8 <= len(heard) <= 17
    assert heard[-1] == SAID[-1]


HOSTILE = {
    "a playlist": b"#EXTM3U\nhttp://127.0.0.1/x.wav\n",
    "a page": b"<html>",
    "nothing": b"",
    "half a header": b"\x1aE\xdf\xa3" + bytes(40),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_recording_is_refused_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    path = tmp_path / "talk.wav"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(WindmillError, match="AUDIO_UNREADABLE"):
        joined(tmp_path / "out", [sent(path, 0)])


@pytest.mark.parametrize(("setting", "value"), [("max_audio_seconds", "1"), ("max_audio_bytes", "2000")])
def test_recordings_over_a_limit_are_refused_with_its_name(tmp_path: Path, setting: str, value: str) -> None:
    path = write_wave(tmp_path / "talk.wav", say(SAID))
    with pytest.raises(WindmillError, match=f"AUDIO_TOO_LARGE.*{setting.upper()}"):
        join_chunks(tools(**{setting: value}), [sent(path, 0)], tmp_path, lambda _: None)


def test_a_cancelled_decoding_ends(tmp_path: Path) -> None:
    path, ours = write_wave(tmp_path / "talk.wav", say(SAID)), tools()
    ours.children.end()
    with pytest.raises(WindmillError, match="CANCELLED"):
        decode(ours, path, tmp_path / "out.pcm")
