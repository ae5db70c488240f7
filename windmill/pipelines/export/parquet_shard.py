"""Parquet, by pyarrow, which only an export in this format loads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.extras import install_extra
from windmill.pipelines.export.records import COLUMNS, Record

ROW_GROUP = 10_000


def _library() -> Any:  # noqa: ANN401 - the module, which has no types
    try:
        import pyarrow.parquet
    except ImportError as error:
        said = "Parquet needs pyarrow, which is not installed"
        raise WindmillError("DEPENDENCY_MISSING", said, install_extra("export")) from error
    return pyarrow


def _schema(arrow: Any) -> Any:  # noqa: ANN401 - the library has no types
    label = arrow.struct([("label", arrow.string()), ("probability", arrow.float64())])
    vote = arrow.struct([("emoji", arrow.string()), ("probability", arrow.float64())])
    sides = [(one, arrow.float64()) for one in ("confidence", "x", "y", "width", "height")]
    box = arrow.struct([("box_id", arrow.int64()), ("label", arrow.string()), *sides])
    types = {
        **{one: arrow.int64() for one in ("image_id", "width", "height", "persons", "faces")},
        **{one: arrow.string() for one in ("name", "location", "group", "camera", "text", "phash")},
        "taken": arrow.timestamp("us", tz="UTC"),
        "nsfw": arrow.float64(),
        "colours": arrow.list_(arrow.string()),
        "labels": arrow.list_(label),
        "boxes": arrow.list_(box),
        "votes": arrow.list_(vote),
    }
    return arrow.schema([(name, types[name]) for name in COLUMNS])


class ParquetShard:
    """One file, compressed, in groups of rows."""

    def __init__(self, path: Path) -> None:
        self._arrow = _library()
        self._schema = _schema(self._arrow)
        self._writer = self._arrow.parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._waiting: list[Record] = []

    def add(self, records: Sequence[Record], pictures: Mapping[int, bytes]) -> None:  # noqa: ARG002 - takes none
        self._waiting += records
        if len(self._waiting) >= ROW_GROUP:
            self._flush()

    def close(self) -> None:
        if self._waiting:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(self._arrow.Table.from_pylist(self._waiting, self._schema))
        self._waiting = []
