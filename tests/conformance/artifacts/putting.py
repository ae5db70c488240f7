"""Puts one file into the store that the environment names; prints when it begins, and the memory it took: python -m
tests.conformance.artifacts.putting FILE"""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

from windmill.core.settings import Settings
from windmill.storage.artifacts.opening import open_artifact_store


def peak_mb() -> float:
    """Of this program alone; getrusage would tell what its parent had when it was forked, too."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


async def main(source: Path) -> None:
    store = open_artifact_store(Settings.from_env(os.environ))
    warm = source.with_name("warm")
    warm.write_bytes(os.urandom(10 * 1024 * 1024))
    await store.put(warm, "a/b")
    before = peak_mb()
    sys.stdout.write("begins\n")
    sys.stdout.flush()
    blob = await store.put(source, "a/b")
    after_put = peak_mb()
    await store.fetch(blob.key, source.with_name("back"))
    figures = {"key": blob.key, "put_mb": after_put - before, "fetch_mb": peak_mb() - before}
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
