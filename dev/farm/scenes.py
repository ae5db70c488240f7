"""Write pictures whose truth is known: `python -m dev.farm.scenes --count 200 --seed 7 --out DIR`.

Each file carries its truth, which the stand-in services read; truth.json repeats it as COCO annotations, in the same
folder or where --truth says.
"""

import argparse
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from PIL import Image
from tqdm import tqdm

from dev.farm.coco import KINDS
from dev.farm.drawing import draw
from dev.farm.layout import make_scene
from dev.farm.pictures import BrokenImage, NotAnImage, open_picture
from dev.farm.truth import Scene, embed, extract

__all__ = ["Scene", "encode", "make_scene", "write_scenes"]

TRUTH = "truth.json"
_JPEG_QUALITY = 85
_PNG_COMPRESSION = 1
_BAD_KINDS = ("truncated.jpg", "text.jpg", "empty.jpg", "tiny.png")


@dataclass(frozen=True, slots=True)
class Written:
    """What a run did."""

    out: Path
    truth: Path
    written: int
    skipped: int
    bad: int
    objects: int


def encode(scene: Scene, kind: str = "JPEG") -> bytes:
    """The scene as a JPEG or PNG file with the truth inside."""
    file = io.BytesIO()
    image = Image.fromarray(draw(scene))
    if kind == "PNG":
        image.save(file, "PNG", compress_level=_PNG_COMPRESSION)
    else:
        image.save(file, "JPEG", quality=_JPEG_QUALITY)
    return embed(file.getvalue(), scene)


def write_scenes(
    out: Path, count: int, seed: int, png_share: float = 0.0, bad: int = 0, truth: Path | None = None
) -> Written:
    """Scenes 1 to count, then the bad files, then the truth; files already there as they should be are kept."""
    out.mkdir(parents=True, exist_ok=True)
    scenes: list[tuple[str, Scene]] = []
    written = 0
    for index in tqdm(range(1, count + 1), desc="scenes", unit="file", delay=1, disable=None):
        scene, kind = make_scene(seed, index), _kind(seed, index, png_share)
        path = out / f"scene_{index:06d}.{'png' if kind == 'PNG' else 'jpg'}"
        scenes.append((path.name, scene))
        if not _holds(path, scene):
            path.write_bytes(encode(scene, kind))
            written += 1
    for name, data in _bad_files(bad, seed):
        (out / name).write_bytes(data)
    truth = truth or out / TRUTH
    truth.write_text(json.dumps(coco_document(scenes)), encoding="utf-8")
    return Written(out, truth, written, count - written, bad, sum(len(scene.things) for _, scene in scenes))


def coco_document(scenes: list[tuple[str, Scene]]) -> dict[str, object]:
    """The truth of named files in the COCO annotation format; captions, texts and nsfw as extra keys."""
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for image_id, (name, scene) in enumerate(scenes, start=1):
        images.append(
            {
                "id": image_id,
                "file_name": name,
                "width": scene.width,
                "height": scene.height,
                "caption": scene.caption,
                "texts": [{"text": writing.text, "bbox": list(writing.box)} for writing in scene.writings],
                "nsfw": scene.nsfw,
            }
        )
        for thing in scene.things:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": KINDS[thing.label].category_id,
                    "bbox": list(thing.box),
                    "area": thing.box[2] * thing.box[3],
                    "iscrowd": 0,
                }
            )
    categories = [{"id": k.category_id, "name": k.name, "supercategory": k.family} for k in KINDS.values()]
    return {"images": images, "annotations": annotations, "categories": categories}


def main(arguments: list[str] | None = None) -> int:
    """The command line; 0 done, 1 the files could not be written, 2 a wrong argument."""
    options = _parser().parse_args(arguments)
    try:
        done = write_scenes(options.out, options.count, options.seed, options.png_share, options.bad, options.truth)
    except OSError as exc:
        sys.stderr.write(f"cannot write scenes to {options.out}: {exc}; choose a folder you may write to\n")
        return 1
    summary = {
        "out": str(done.out),
        "truth": str(done.truth),
        "written": done.written,
        "skipped": done.skipped,
        "bad": done.bad,
        "objects": done.objects,
    }
    sys.stdout.write(json.dumps(summary) + "\n" if options.json else _sentence(done) + "\n")
    return 0


def _sentence(done: Written) -> str:
    return (
        f"{done.written} scenes written, {done.skipped} already there, {done.bad} bad files, "
        f"{done.objects} objects; truth in {done.truth}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dev.farm.scenes",
        description="Draw pictures whose truth travels inside the file, for the stand-in services to answer from.",
        epilog="The same seed gives the same pictures; what is already there is kept, so a stopped run goes on.",
    )
    parser.add_argument("--count", type=_whole, default=200, help="how many scenes (default 200)")
    parser.add_argument("--seed", type=int, default=7, help="which scenes (default 7)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="where the truth goes (default: truth.json in DIR)")
    parser.add_argument("--png-share", type=_share, default=0.0, help="share of PNG files, 0 to 1 (default 0)")
    parser.add_argument("--bad", type=_whole, default=0, metavar="N", help="also N files that are broken on purpose")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    return parser


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return share


def _kind(seed: int, index: int, png_share: float) -> str:
    return "PNG" if Random(f"kind|{seed}|{index}").random() < png_share else "JPEG"


def _holds(path: Path, scene: Scene) -> bool:
    """Whether the file is this very scene, to its end."""
    if not path.is_file():
        return False
    data = path.read_bytes()
    try:
        return extract(data) == scene and open_picture(data).truth is not None
    except (NotAnImage, BrokenImage):
        return False


def _bad_files(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Cut short, not a picture, empty, and a whole picture of one pixel, in turn."""
    for number in range(1, count + 1):
        kind = _BAD_KINDS[(number - 1) % len(_BAD_KINDS)]
        yield f"bad_{number:06d}_{kind}", _bad_data(kind, seed, number)


def _bad_data(kind: str, seed: int, number: int) -> bytes:
    if kind == "truncated.jpg":
        whole = encode(make_scene(seed, -number))
        return whole[: len(whole) * 3 // 5]
    if kind == "tiny.png":
        file = io.BytesIO()
        Image.new("RGB", (1, 1), (number % 256, 90, 160)).save(file, "PNG")
        return file.getvalue()
    return b"" if kind == "empty.jpg" else b"This is a text, whatever its name says.\n"


if __name__ == "__main__":
    sys.exit(main())
