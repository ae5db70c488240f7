"""What a step on pictures is: a function of files and parameters that writes files, and what it may be given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windmill.core.errors import WindmillError
from windmill.kernels.text.json_readers import DocumentInvalid
from windmill.pipelines.values import FileType, JsonValue, ValueSpec, read_values

Files = Mapping[str, Sequence[Path]]
"""The files of each input, in their order."""


@dataclass(frozen=True)
class StepCall:
    """One run of a step: its files, its parameters with their defaults, the folder for what it makes, and how many
    pixels a picture may have."""

    inputs: Files
    parameters: Mapping[str, Any]
    out: Path
    max_pixels: int

    @property
    def picture(self) -> Path:
        """The one file of a step on one picture."""
        return self.inputs["picture"][0]

    def produced(self, name: str = "picture.png") -> Path:
        """The path of a file to make."""
        return self.out / name


@dataclass(frozen=True)
class PictureStep:
    """A step that needs no engine. All of them give the same bytes for the same files and parameters.

    `version` rises with every change of what it makes. The first input is the one that a step without "inputs" in a
    preset gets from the step before it."""

    name: str
    version: int
    description: str
    inputs: Mapping[str, FileType]
    parameters: Mapping[str, ValueSpec]
    work: Callable[[StepCall], Sequence[Path]]
    produces: FileType = "image"

    def run(
        self, inputs: Files, parameters: Mapping[str, JsonValue], out: Path, max_pixels: int = 178_956_970
    ) -> Sequence[Path]:
        """Make its files in `out`. Holds the thread for as long as it takes."""
        try:
            read = read_values(self.parameters, parameters)
        except DocumentInvalid as error:
            raise WindmillError("USAGE", f"{self.name}: {error}") from error
        for name in self.inputs:
            if not inputs.get(name):
                raise WindmillError("USAGE", f"{self.name} needs the input {name}")
        out.mkdir(parents=True, exist_ok=True)
        return self.work(StepCall(inputs, read, out, max_pixels))
