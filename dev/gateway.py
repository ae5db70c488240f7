"""The gateway that `make up` starts beside the private servers: python -m dev.gateway up | down

It runs until `make down`, on GATEWAY_PORT or the next port that is free; its log is var/local/gateway.log."""

import argparse
import sys

from dev.servers import ports, processes
from windmill.core.settings import ROOT, Settings, environment

RECORD, LOG = ROOT / "var" / "local" / "gateway.json", ROOT / "var" / "local" / "gateway.log"
READY_SECONDS = 60.0
MOST_PORTS = 100


def up() -> int:
    """Start it, unless it runs; its exit code."""
    environ = environment()
    first = Settings.from_env(environ).gateway_port
    port = free_port(first)
    if processes.running(RECORD) is not None:
        say("the gateway runs already")
        return 0
    processes.spawn(
        [sys.executable, "-m", "gateway"],
        record=RECORD,
        log=LOG,
        env={**environ, "GATEWAY_PORT": str(port)},
        cwd=ROOT,
    )
    try:
        processes.wait_ready(RECORD, LOG, lambda: _listens(port), READY_SECONDS)
    except processes.Died as error:
        say(f"the gateway {error}")
        return 1
    say(f"gateway               ready on http://{ports.LOOPBACK}:{port}/")
    return 0


def down() -> int:
    if processes.stop(RECORD):
        say("gateway     stopped")
    return 0


def free_port(first: int) -> int:
    """The first of a hundred that nobody listens on."""
    return next((port for port in range(first, first + MOST_PORTS) if ports.is_free(port)), first)


def _listens(port: int) -> bool:
    pid = processes.running(RECORD)
    return pid is not None and ports.listens(pid, port)


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m dev.gateway", description=__doc__)
    parser.add_argument("action", choices=["up", "down"])
    sys.exit(up() if parser.parse_args().action == "up" else down())
