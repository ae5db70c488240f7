"""Command lines that texts tell, put to the programs that they name."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence

from windmill.core.settings import ROOT

# Runs programs as far as they have read their arguments, and tells what they said against them.
PARSING = """
import argparse, contextlib, io, json, runpy, shlex, sys

parse, depth = argparse.ArgumentParser.parse_known_args, 0

def parse_only(self, *given, **named):
    global depth
    depth += 1
    try:
        found, rest = parse(self, *given, **named)
    finally:
        depth -= 1
    if depth == 0:
        self.exit(0) if not rest else self.error(f"unknown: {rest}")
    return found, rest

argparse.ArgumentParser.parse_known_args = parse_only
complaints = {}
for line in json.load(sys.stdin):
    module, *sys.argv[1:] = shlex.split(line, comments=True)
    told, said = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(said):
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            complaints[line] = said.getvalue().strip().splitlines()[-1:]
        elif sys.argv[1:] == ["--help"] and "usage:" not in told.getvalue():
            complaints[line] = ["explains nothing"]
    except ImportError as error:
        complaints[line] = [str(error)]
    else:
        complaints[line] = ["reads no arguments"]
print(json.dumps(complaints))
"""


def refused(lines: Sequence[str]) -> dict[str, list[str]]:
    """The commands that their programs would not take or explain, each with why. One process imports once for all."""
    ran = subprocess.run(
        [sys.executable, "-c", PARSING], input=json.dumps(lines), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    said: dict[str, list[str]] = json.loads(ran.stdout)
    return said


def commands(text: str) -> set[str]:
    """What stands after `python -m` in a text; a program that is only named is asked for its help."""
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]
    lines = re.sub(r"`[^`]+`", "", text).splitlines()
    found = [match for part in (*spans, *lines) for match in re.findall(r"python -m ([a-z][^|;&<>)]*)", part)]
    stripped = (" ".join(command.split()).rstrip(".,:") for command in found if "[" not in command)
    return {command if " " in command else f"{command} --help" for command in stripped}
