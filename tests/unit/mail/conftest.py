"""Mail servers that do as a script says, on real sockets: they die wherever a test wants them to."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

#: A line to say; a word in angle brackets does something: `<drop>`, `<line>` reads one, `<body>` reads up to CRLF.CRLF.
Script = list[str]


class ScriptedServer:
    """Plays one script per connection, then hangs up; keeps every byte that came."""

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.scripts = list(scripts)
        self.came: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?timeout=2"

    def stop(self) -> None:
        with contextlib.suppress(OSError):  # wakes a waiting accept
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _run(self) -> None:
        for script in self.scripts:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(5)
            self.came.append(b"")
            with contextlib.suppress(OSError), self._secured(connection) as secured:
                self._play(secured, script)

    def _secured(self, connection: socket.socket) -> socket.socket:
        if self._tls is None:
            return connection
        try:
            return self._tls.wrap_socket(connection, server_side=True)
        except OSError:
            connection.close()
            raise

    def _play(self, connection: socket.socket, script: Script) -> None:
        for step in script:
            try:
                if step == "<line>":
                    self._read(connection, b"\r\n")
                elif step == "<body>":
                    self._read(connection, b"\r\n.\r\n")
                elif step == "<silence>":
                    connection.recv(65536)
                else:
                    connection.sendall(step.encode("latin-1"))
            except OSError:
                return

    def _read(self, connection: socket.socket, end: bytes) -> None:
        start = len(self.came[-1])
        while not self.came[-1][start:].endswith(end):
            data = connection.recv(1 if end == b"\r\n" else 65536)
            if not data:
                raise OSError
            self.came[-1] += data


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    servers: list[ScriptedServer] = []

    def start(*scripts: Script, tls: ssl.SSLContext | None = None) -> ScriptedServer:
        servers.append(ScriptedServer(*scripts, tls=tls))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@dataclass
class Certificate:
    """A certificate for 127.0.0.1 that signs itself: its file, and how a server presents it."""

    ca: Path
    server: ssl.SSLContext


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    ca, private = folder / "ca.pem", folder / "key.pem"
    ca.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(ca, private)
    return Certificate(ca, server)
