"""Throw-away certificates, and relays that put TLS before servers which have none."""

import asyncio
import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.integration.fleet import unavailable
from tests.integration.proxy import LOOPBACK, Proxy

NAME = "localhost"
"""The only host that the certificates are for."""
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")


@dataclass(frozen=True)
class Certificates:
    """The authority that signed the server's certificate, one that did not, and the server's own: valid and expired."""

    authority: Path
    foreign: Path
    server: ssl.SSLContext
    certificate: Path
    expired: Path
    key: Path


def make_certificates(folder: Path) -> Certificates:
    if not shutil.which("openssl"):
        unavailable("openssl makes the certificates of this test, and is not installed")
    for name in ("authority", "foreign"):
        _openssl(folder, "req", "-x509", *_KEY, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    _openssl(folder, "req", *_KEY, "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr")
    (folder / "names").write_text(f"subjectAltName=DNS:{NAME}\nauthorityKeyIdentifier=keyid\n")
    signed = ("-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-extfile", "names")
    _openssl(folder, "x509", "-req", "-in", "server.csr", *signed, "-out", "server.pem")
    _openssl(folder, "x509", "-req", "-in", "server.csr", *signed, "-days", "-1", "-out", "expired.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    files = (folder / name for name in ("server.pem", "expired.pem", "server.key"))
    return Certificates(folder / "authority.pem", folder / "foreign.pem", context, *files)


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


class TlsRelay(Proxy):
    """Speaks TLS from the first byte, as RabbitMQ does on 5671. `relayed` counts connections past the handshake."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__(host, port)
        self._context = context
        self.relayed = 0

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._accepted, LOOPBACK, self.port, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.relayed += 1
        await super()._relay(reader, writer)


class PostgresTlsRelay(TlsRelay):
    """Speaks TLS once it was asked for in PostgreSQL's own words, and to nobody who does not ask."""

    async def mend(self) -> None:
        await Proxy.mend(self)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            assert await reader.readexactly(len(_SSL_REQUEST)) == _SSL_REQUEST, "TLS was not asked for"
            writer.write(b"S")
            await writer.start_tls(self._context)
        except (AssertionError, OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
        else:
            await super()._relay(reader, writer)
