"""An nginx that gives one fixed answer: the one on PATH, else Debian's package unpacked in the user's cache.

It reads each request to its end before it answers, so connections are kept whatever the size of an upload: the server
that is called buffers the body and asks a second one, which only knows the answer.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.servers import ports, processes, rabbitmq_programs
from dev.servers.debian_packages import can_unpack, system

PORTS = 27_000
READY_SECONDS = 10.0
APT_SECONDS = 300.0

ANSWER = json.dumps(
    {
        "service": "yolo",
        "status": "success",
        "predictions": [
            {
                "label": f"thing {number}",
                "confidence": 0.5,
                "bbox": {"x": number, "y": 20, "width": 30, "height": 40},
            }
            for number in range(15)
        ],
        "metadata": {"processing_time": 0.01, "model_info": {"framework": "fixed"}},
    },
    separators=(",", ":"),
)

CONFIG = """
daemon off;
%(user)s
worker_processes 1;
pid %(home)s/nginx.pid;
error_log %(home)s/error.log warn;
events { worker_connections 512; }
http {
    access_log off;
    default_type application/json;
    client_max_body_size 32m;
    client_body_buffer_size 1m;
    keepalive_requests 1000000000;
    client_body_temp_path %(home)s/body;
    proxy_temp_path %(home)s/proxy;
    fastcgi_temp_path %(home)s/fastcgi;
    uwsgi_temp_path %(home)s/uwsgi;
    scgi_temp_path %(home)s/scgi;
    upstream answer {
        server 127.0.0.1:%(inner)d;
        keepalive 64;
        keepalive_requests 1000000000;
    }
    server {
        listen 127.0.0.1:%(port)d;
        location / {
            proxy_pass http://answer;
            proxy_method GET;
            proxy_http_version 1.1;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header Connection "";
        }
    }
    server {
        listen 127.0.0.1:%(inner)d;
        location / { return 200 '%(answer)s'; }
    }
}
"""


class NoNginx(Exception):
    """nginx is neither installed nor can be unpacked; the text says why."""


@contextmanager
def answering(state: Path) -> Iterator[int]:
    """The port of an nginx that runs while the context is open."""
    program = found()
    home = state / "nginx"
    home.mkdir(parents=True, exist_ok=True)
    record, log = home / "nginx.json", home / "nginx.log"
    processes.stop(record)
    port = ports.choose(PORTS, state)
    _configure(home, port, ports.choose(PORTS, state, avoid=[port]))
    processes.spawn([str(program), "-p", str(home), "-c", str(home / "nginx.conf")], record=record, log=log)
    try:
        processes.wait_ready(record, log, lambda: ports.answers(ports.LOOPBACK, port), READY_SECONDS)
        yield port
    finally:
        processes.stop(record)


def _configure(home: Path, port: int, inner: int) -> None:
    # As root nginx would work as the user `nobody`, who may not enter a home directory.
    user = "user root;" if os.geteuid() == 0 else ""
    text = CONFIG % {"home": home, "port": port, "inner": inner, "answer": ANSWER, "user": user}
    (home / "nginx.conf").write_text(text)


def found() -> Path:
    """The program; unpacked first where it has to be."""
    on_path = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    return Path(on_path) if on_path else _unpacked(rabbitmq_programs.cache(os.environ))


def _unpacked(cache: Path) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    tree = cache / f"nginx-{system()}"
    program = tree / "usr/sbin/nginx"
    if program.exists():
        return program
    if not can_unpack():
        raise NoNginx("nginx is not on PATH, and this is no Debian or Ubuntu whose package could be unpacked")
    with tempfile.TemporaryDirectory(prefix=".nginx-", dir=cache) as work:
        package = _download(Path(work))
        _run(["dpkg-deb", "-x", str(package), f"{work}/tree"])
        # A library that is missing shows here and not as a server that does not start.
        _run([f"{work}/tree/usr/sbin/nginx", "-v"])
        shutil.rmtree(tree, ignore_errors=True)
        (Path(work) / "tree").rename(tree)
    return program


def _download(work: Path) -> Path:
    """The package alone: what it needs, libssl and libpcre among them, Debian's Python and apt have brought along."""
    own = {
        "Dir::State::lists": work / "lists",
        "Dir::Cache": work / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::http::Timeout": "20",
    }
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    options = [part for name, value in own.items() for part in ("-o", f"{name}={value}")]
    _run(["apt-get", "-q", *options, "update"])
    _run(["apt-get", "-q", *options, "download", "nginx"], cwd=work)
    packages = [path for path in work.glob("*.deb") if re.match(r"nginx_", path.name)]
    if not packages:
        raise NoNginx("apt-get did not download the package nginx")
    return packages[0]


def _run(command: list[str], cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=APT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoNginx(f"`{' '.join(command[-2:])}` failed: {error}") from error
    if done.returncode:
        said = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise NoNginx(f"nginx is not on PATH, and `{' '.join(command[-2:])}` failed: {said}")
