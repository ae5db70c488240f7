"""Running an ONNX network on one thread, so that as many pictures are worked on at once as there are processors.

The libraries are loaded with the first network: what is pure in the models needs none of them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dev.models.fetching import made_whole

Floats = npt.NDArray[np.float32]
CONVERSION = 1
"""Raise it when the conversion changes: what an older one made stays in the cache beside it."""


class Network:
    """A loaded network with one input."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def run(self, pixels: npt.NDArray[Any]) -> list[Floats]:
        """The outputs, in their order, for a batch of one or more."""
        outputs: list[Floats] = self._session.run(None, {self._input: np.ascontiguousarray(pixels, np.float32)})
        return outputs

    def note(self, name: str) -> str:
        """A remark that the makers left in the file."""
        return str(self._session.get_modelmeta().custom_metadata_map[name])


def converted(folder: Path, name: str, outputs: Sequence[str]) -> Network:
    """The network of `NAME.json` in a folder of fetched weights; converted when it is first needed."""
    target = folder.parent / f"{folder.name}-onnx-{CONVERSION}-{name}"
    if not target.is_dir():
        from dev.models.tfjs_to_onnx import convert

        with made_whole(target) as new:
            convert(folder / f"{name}.json", new / f"{name}.onnx", outputs)
    return Network(target / f"{name}.onnx")
