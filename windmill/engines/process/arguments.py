"""The command line and the environment of a program that is an engine. Pure.

PROGRAM --input FILE --prompt TEXT --style NAME --seed INT --output-dir DIR
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineRequest, JsonValue

DEFAULT_STYLE = "default"
DEFAULT_SEED = 0
# Servers' passwords and the like are none of a program's business.
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|TZ|TERM|VIRTUAL_ENV|LD_LIBRARY_PATH|SSL_CERT_(?:FILE|DIR)|LC_\w+"
    r"|XDG_\w+|CUDA_\w+|NVIDIA_\w+|HIP_\w+|ROCR_\w+|OMP_\w+|MKL_\w+|TORCH_HOME|HF_HOME"
)


def command_line(command: Sequence[str], request: EngineRequest, names: Sequence[str] = ()) -> list[str]:
    """The whole command line. `names` are the further parameters that the program knows."""
    parameters = request.parameters
    options: dict[str, JsonValue] = {
        **_inputs(request),
        "prompt": parameters.get("prompt") or "",
        "style": parameters.get("style") or DEFAULT_STYLE,
        "seed": seed_of(parameters),
        **{name: parameters[name] for name in names if parameters.get(name) is not None},
        "output-dir": str(request.out),
    }
    return [*command, *(part for name, value in options.items() for part in _option(name, value))]


def ignored_parameters(request: EngineRequest, names: Sequence[str]) -> list[str]:
    """What the command line has no place for."""
    given = {name for name, value in request.parameters.items() if value is not None}
    return sorted(given - {"prompt", "style", "seed", "task", *names})


def request_line(request: EngineRequest) -> bytes:
    """The same as one line of JSON, for a program that stays alive."""
    document = {
        "id": request.name,
        "input": str(request.main_input) if request.main_input else None,
        "inputs": {name: str(path) for name, path in request.inputs.items()},
        "parameters": {**request.parameters, "seed": seed_of(request.parameters)},
        "output_dir": str(request.out),
    }
    return orjson.dumps(document) + b"\n"


def seed_of(parameters: Mapping[str, JsonValue]) -> JsonValue:
    """The seed; 0 is one like any other."""
    seed = parameters.get("seed")
    return DEFAULT_SEED if seed is None else seed


def child_environment(environ: Mapping[str, str], own: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """What a program finds in its environment: where things are, the variables of its entry, and no secrets."""
    passed = {name: value for name, value in environ.items() if _PASSED_ON.fullmatch(name)}
    return {"PYTHONUNBUFFERED": "1", **passed, "TMPDIR": str(scratch), **own}


def _inputs(request: EngineRequest) -> dict[str, JsonValue]:
    """`--input`, and the others by their names."""
    main = request.main_input
    others: dict[str, JsonValue] = {
        name: str(path) for name, path in request.inputs.items() if path != main and name != "input"
    }
    return {"input": str(main), **others} if main else others


def _option(name: str, value: JsonValue) -> list[str]:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    if "\0" in text:
        raise WindmillError("USAGE", f"the parameter {name} holds a NUL character")
    option = f"--{name.replace('_', '-')}"
    # A text that begins with a dash would be taken for an option.
    return [f"{option}={text}"] if text.startswith("-") else [option, text]
