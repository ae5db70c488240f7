"""A real nginx that speaks TLS, wants a key and serves services under prefixes, as a gateway before them does."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.nginx import NoNginx, found
from dev.servers import ports
from tests.integration.fleet import unavailable
from tests.waiting import until

KEY = "k-5d0c7a91e2"
FIRST_PORT = 26_000
SECONDS = 20.0

_CONFIG = """
daemon off;
master_process off;
{user}
pid {home}/nginx.pid;
error_log {home}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log {home}/access.log;
    client_max_body_size 32m;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        {client_ca}
        {locations}
    }}
}}
"""
_LOCATION = """
        location {prefix}/ {{
            if ($http_authorization != "Bearer {key}") {{ return 401; }}
            proxy_pass http://127.0.0.1:{upstream}/;
        }}
"""


@dataclass
class TlsGateway:
    """An nginx that runs."""

    port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    def url(self, prefix: str, host: str = "localhost") -> str:
        return f"https://{host}:{self.port}{prefix}"

    def kill(self) -> None:
        """As when its machine fails."""
        self.process.kill()
        self.process.wait(SECONDS)

    def requests(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@contextmanager
def tls_gateway(
    home: Path, upstreams: Mapping[str, int], certificate: Path, key: Path, client_ca: Path | None = None
) -> Iterator[TlsGateway]:
    """Serve each prefix from its port on loopback."""
    try:
        program = found()
    except NoNginx as error:
        unavailable(str(error))
    home.mkdir()
    port = ports.choose(FIRST_PORT, home)
    verify = f"ssl_client_certificate {client_ca}; ssl_verify_client on;" if client_ca else ""
    locations = [_LOCATION.format(prefix=prefix, key=KEY, upstream=upstream) for prefix, upstream in upstreams.items()]
    config = _CONFIG.format(
        home=home,
        user="user root;" if os.geteuid() == 0 else "",
        port=port,
        certificate=certificate,
        key=key,
        client_ca=verify,
        locations="".join(locations),
    )
    (home / "nginx.conf").write_text(config)
    command = [str(program), "-p", str(home), "-c", str(home / "nginx.conf")]
    with (home / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield TlsGateway(port, process, home / "access.log")
    finally:
        process.kill()
        process.wait(SECONDS)


async def listens(gateway: TlsGateway) -> None:
    """Wait until it takes connections."""
    await until(lambda: ports.answers(ports.LOOPBACK, gateway.port), SECONDS)
