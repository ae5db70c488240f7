"""Reads the weights of the voice encoder out of the file that torch has written, without torch.

Such a file is a pickle, and a pickle may run any code when it is read; so only what builds tensors of numbers is let
through, and what it builds are plain arrays."""

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from windmill.core.errors import WindmillError
from windmill.kernels.audio.pcm import Floats

_MAGIC = 0x1950A86A20F9469CFC6C
_HEADERS = 3
_MOST_NUMBERS = 100_000_000


class _OnlyTensors(pickle.Unpickler):
    """Tensors stay what they are made of: a storage, an offset and a shape."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - of pickle
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *parts: parts
        if module == "torch" and name.endswith("Storage"):
            return name
        raise pickle.UnpicklingError(f"{module}.{name} is no tensor")

    def persistent_load(self, pid: Any) -> Any:  # noqa: ANN401 - of pickle
        return pid


def read_voice_weights(path: Path) -> Mapping[str, Floats]:
    """The arrays by name; raises DEPENDENCY_MISSING if the file is not what it should be."""
    try:
        with path.open("rb") as file:
            magic, *_ = [_OnlyTensors(file).load() for _ in range(_HEADERS)]
            if magic != _MAGIC:
                raise pickle.UnpicklingError("it is no file of torch")
            state, keys = _OnlyTensors(file).load()["model_state"], _OnlyTensors(file).load()
            storages = {key: _numbers(file) for key in keys}
    except (OSError, EOFError, KeyError, TypeError, ValueError, AttributeError, pickle.UnpicklingError) as error:
        said = f"{path} has no weights of the voice encoder: {error}"
        raise WindmillError("DEPENDENCY_MISSING", said) from error
    return {name: _array(parts, storages) for name, parts in state.items()}


def _numbers(file: Any) -> Floats:  # noqa: ANN401 - a file opened for reading
    count = int.from_bytes(file.read(8), "little")
    if count > _MOST_NUMBERS:
        raise ValueError("it is larger than any voice encoder")
    return np.frombuffer(file.read(4 * count), "<f4").astype(np.float32)


def _array(parts: Any, storages: Mapping[str, Floats]) -> Floats:  # noqa: ANN401 - what a tensor is made of
    (_, _, key, *_), offset, shape, *_ = parts
    size = int(np.prod(shape))
    return storages[key][offset : offset + size].reshape(shape)
