"""Pictures along a video as they come: some are kept, and all are put small on sheets. So a long video takes no more
memory than a short one."""

from pathlib import Path

from PIL import Image

from windmill.kernels.pictures.picture import Picture
from windmill.kernels.video.thumbnail_track import COLUMNS, ON_A_SHEET, ROWS, cell_of, part_of, render_track

WIDTH = 160
JPEG_QUALITY = 82


class SpreadPictures:
    """Some of the pictures: the first of each of so many equal parts of the video. Mutable."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds, self._most, self._part = seconds, most, -1
        self.pictures: list[Picture] = []

    def look(self, at: float, pixels: Picture) -> None:
        part = part_of(at, self._seconds, self._most)
        if part > self._part:
            self._part = part
            self.pictures.append(pixels)


class SpriteSheets:
    """Sheets of a hundred small pictures, of which the last alone is in memory, and the track that tells which part
    shows when. Mutable."""

    def __init__(self, height: int, folder: Path) -> None:
        self._height, self._folder = height, folder
        self._sheet: Image.Image | None = None
        self._sheets: list[Path] = []
        self.times: list[float] = []

    def add(self, at: float, pixels: Picture) -> None:
        place = len(self.times) % ON_A_SHEET
        if not place:
            self._save()
            self._sheet = Image.new("RGB", (WIDTH * COLUMNS, self._height * ROWS))
        assert self._sheet
        cell = cell_of(place, WIDTH, self._height)
        self._sheet.paste(Image.fromarray(pixels).resize((WIDTH, self._height)), (cell.x, cell.y))
        self.times.append(at)

    def finish(self, seconds: float) -> list[Path]:
        """The sheets and the track."""
        self._save()
        track = self._folder / "thumbnails.vtt"
        names = [path.name for path in self._sheets]
        track.write_text(render_track(self.times, seconds, WIDTH, self._height, names), "utf-8")
        return [*self._sheets, track]

    def _save(self) -> None:
        """Write the sheet, as far as it is filled."""
        if self._sheet is None:
            return
        filled = len(self.times) - len(self._sheets) * ON_A_SHEET
        size = WIDTH * min(COLUMNS, filled), self._height * ((filled - 1) // COLUMNS + 1)
        sheet = self._sheet if size == self._sheet.size else self._sheet.crop((0, 0, *size))
        self._sheets.append(self._folder / f"sprites_{len(self._sheets) + 1}.jpg")
        sheet.save(self._sheets[-1], quality=JPEG_QUALITY)
        self._sheet = None
