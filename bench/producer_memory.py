"""Memory of `python -m producers.generic` with few and with many registered images: it should be the same.

    python bench/producer_memory.py [--few N] [--many N] [--service NAME]

Each run submits every image to one service and is measured by its peak resident memory.
"""

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.temporary_fleet import add_images, temporary_fleet
from windmill.core.settings import ROOT, Settings


def peak_megabytes(environ: Mapping[str, str], service: str) -> float:
    """Peak resident memory of one producer that submits all there is."""
    command = [sys.executable, "-m", "producers.generic", "--services", service, "--max-queued", str(10**9)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environ})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"the producer ended with {process.returncode}")
    return usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=10_000, help="images at first (%(default)s)")
    parser.add_argument("--many", type=int, default=1_000_000, help="images in the end (%(default)s)")
    parser.add_argument("--service", default="yolov8", help="whose queue is filled (%(default)s)")
    arguments = parser.parse_args()
    with temporary_fleet() as environ:
        settings = Settings.from_env(environ)
        asyncio.run(add_images(settings, arguments.few))
        few = peak_megabytes(environ, arguments.service)
        asyncio.run(add_images(settings, arguments.many))
        many = peak_megabytes(environ, arguments.service)
    print(f"{arguments.few:>12,} images  {few:6.1f} MB")
    print(f"{arguments.many:>12,} images  {many:6.1f} MB   {many / few - 1:+.1%}")


if __name__ == "__main__":
    main()
