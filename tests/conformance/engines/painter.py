"""A program that is an engine, and that misbehaves as its first argument says. It needs no package."""

import argparse
import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
STUBBORN = "import os,signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.setsid(); signal.pause()"


def paint(behaviour: str, out: Path, seed: object) -> str:
    """The folder with the frames, once they are made."""
    frames = out / "frames"
    frames.mkdir(parents=True)
    if behaviour in _FAILURES:
        _FAILURES[behaviour](frames)
    if behaviour == "lies":
        return str(out.parent.parent)
    if behaviour != "says nothing":
        data = {"writes half": PNG[:40], "writes a page": b"<html></html>"}.get(behaviour, PNG)
        for number in range(1, 3):
            (frames / f"frame_{number:04d}.png").write_bytes(data)
        (frames / "seed.txt").write_text(str(seed))
    return str(frames)


def tell(*percents: float) -> None:
    for percent in percents:
        sys.stdout.write(f"progress: {percent}\n")
        sys.stdout.flush()


def _die(frames: Path) -> None:
    """With some of the frames made."""
    (frames / "frame_0001.png").write_bytes(PNG)
    sys.stderr.write("the last words\n")
    sys.stderr.flush()
    os._exit(3)


def _log(_frames: Path) -> None:
    for number in range(10_000):
        sys.stderr.write(f"{number} {'x' * 1_000}\n")
    sys.stderr.write("y" * 5_000_000)
    sys.stderr.flush()
    os._exit(4)


def _hang(frames: Path) -> None:
    """With a child that has left the group and ignores SIGTERM."""
    child = subprocess.Popen([sys.executable, "-c", STUBBORN])
    (frames.parent / "pids.txt").write_text(f"{os.getpid()} {child.pid}")
    tell(10)
    signal.pause()


def _eat(_frames: Path) -> None:
    hoard = []
    while True:
        hoard.append(bytearray(os.urandom(1024) * 8 * 1024))


_FAILURES = {"hangs": _hang, "dies": _die, "logs": _log, "eats": _eat}


def once(behaviour: str, arguments: list[str]) -> None:
    """As a process for each request."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--input")
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--style", default="default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output-dir", type=Path, required=True)
    parsed = parser.parse_args(arguments)
    tell(0, 50, 40, 170)
    folder = paint(behaviour, parsed.output_dir, parsed.seed)
    if behaviour == "paints in pieces":
        for piece in ("progr", "ess: 1", "00\nframes_", f"path: {folder}\n"):
            sys.stdout.write(piece)
            sys.stdout.flush()
            time.sleep(0.02)  # so that each piece is read by itself
        return
    sys.stdout.write(f"loading the model\nframes_path: {folder}\n")


def for_ever(behaviour: str) -> None:
    """As a process that stays alive."""
    for line in sys.stdin:
        request = json.loads(line)
        tell(0, 50, 40, 170)
        folder = paint(behaviour, Path(request["output_dir"]), request["parameters"]["seed"])
        sys.stdout.write(json.dumps({"id": request["id"], "frames_path": folder}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[2:] == []:
        for_ever(sys.argv[1])
    else:
        once(sys.argv[1], sys.argv[2:])
