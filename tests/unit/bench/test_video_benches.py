"""What the benchmarks of videos tell of what they have measured."""

import argparse
import subprocess
import sys

import pytest

from bench.video import worker_counts
from bench.video_memory import MIB, PeakMemory, sampled, summary
from bench.video_workers import FleetTimes, report
from tests.waiting import wait_until


def test_workers_are_compared_with_the_fewest_by_the_median_of_their_rounds() -> None:
    one = [FleetTimes(20.0, 12.0, 10.0, 1), FleetTimes(10.0, 6.0, 9.0, 1), FleetTimes(90.0, 60.0, 11.0, 1)]
    two = [FleetTimes(16.0, 8.0, 12.0, 2)] * 3
    lines = report({1: one, 2: two}, 240).splitlines()
    assert "12.0 fps of the job (1.00 x)" in lines[1]
    assert "20.0 fps of encoding (1.00 x)" in lines[1]
    assert "15.0 fps of the job (1.25 x)" in lines[2]
    assert "30.0 fps of encoding (1.50 x)" in lines[2]
    assert "50.0 ms CPU a frame  2 encoded" in lines[2]
    assert lines[3].startswith("video workers: 2 are 1.25 x the job, 1.50 x its encoding of 1, on ")


@pytest.mark.parametrize("text", ["0", "1,-2", "one", ""])
def test_numbers_of_workers_are_at_least_one(text: str) -> None:
    with pytest.raises((ValueError, argparse.ArgumentTypeError)):
        worker_counts(text)
    assert worker_counts("2,1,2") == [1, 2]


def test_growth_is_told_for_each_frame() -> None:
    found = {1: 100 * MIB, 11: 100 * MIB + 18_000 * 64}
    assert summary(found) == "video memory: 100 MiB for 1 min, +1 MiB for 11 min (64 bytes a frame)"


def test_memory_of_children_and_of_this_process_is_sampled_together() -> None:
    """A process that runs tests is large, and the kernel may take pages from it meanwhile that it does not use."""
    held, lost = 256 * MIB, 128 * MIB
    peak = PeakMemory()
    with sampled(peak):
        own = b"x" * held
        with subprocess.Popen([sys.executable, "-c", f"held = b'x' * {held}; input()"], stdin=subprocess.PIPE) as child:
            wait_until(
                lambda: peak.children > held and peak.worker >= peak.before + held - lost, 30, what="a sample of both"
            )
            child.communicate(b"\n")
    assert len(own) == held
    assert peak.together >= peak.before + 2 * held - lost
