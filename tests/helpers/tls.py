"""A certificate authority, and the TLS peers that the tests talk to."""

import atexit
import contextlib
import dataclasses
import datetime
import fcntl
import functools
import ipaddress
import socket
import ssl
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

import oxisock
from tests.helpers.net import daemon, free_port
from tests.helpers.process import needs

HOST = "tls.example.org"
PATIENCE = 20  # seconds that a peer in a test waits before it gives up

PEM = serialization.Encoding.PEM
DER = serialization.Encoding.DER


def name(*pairs: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs])


def authority(kind: str = "ec") -> "Authority":
    """The test run's own authority, 'ec' or 'rsa'; its files vanish with the process."""
    return _authority(kind)


@functools.cache
def _authority(kind: str) -> "Authority":
    directory = tempfile.TemporaryDirectory(prefix="oxisock-ca-")
    atexit.register(directory.cleanup)
    return Authority(Path(directory.name), kind)


def identity(kind: str = "ec") -> "Identity":
    """An ordinary certificate for HOST."""
    return _identity(kind)


@functools.cache
def _identity(kind: str) -> "Identity":
    return authority(kind).issue()


@dataclasses.dataclass(frozen=True)
class Identity:
    """A certificate chain with its private key, in files and in memory."""

    certfile: str
    keyfile: str
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(DER)

    def server_context(self, **settings: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certfile, self.keyfile)
        for setting, value in settings.items():
            setattr(context, setting, value)
        return context


class Authority:
    """A root with one intermediate authority below it, which issues the certificates."""

    def __init__(self, directory: Path, kind: str = "ec") -> None:
        self._directory = directory
        self._kind = kind
        self._count = 0
        self._root_name = name((NameOID.COUNTRY_NAME, "DE"), (NameOID.COMMON_NAME, "Test Root"))
        self._root_key = self._key()
        root = self._sign(self._root_name, self._root_name, self._root_key, self._root_key, ca=True)
        self._name = name(
            (NameOID.COUNTRY_NAME, "US"),
            (NameOID.STATE_OR_PROVINCE_NAME, "California"),
            (NameOID.ORGANIZATION_NAME, "Test, Inc."),
            (NameOID.COMMON_NAME, f"Test {kind.upper()} Intermediate"),
        )
        self._signer = self._key()
        self._chain = self._sign(
            self._name, self._root_name, self._signer, self._root_key, ca=True
        ).public_bytes(PEM)
        self.cafile = str(directory / f"{kind}-root.pem")
        Path(self.cafile).write_bytes(root.public_bytes(PEM))

    def issue(
        self,
        subject: x509.Name | None = None,
        host: str = HOST,
        days: int = 30,
        padding: int = 0,
        password: bytes | None = None,
    ) -> Identity:
        """Issue a certificate for `host`, already expired if `days` is negative."""
        key = self._key()
        certificate = self._sign(
            name((NameOID.COUNTRY_NAME, "US"), (NameOID.COMMON_NAME, host))
            if subject is None
            else subject,
            self._name,
            key,
            self._signer,
            host=host,
            days=days,
            padding=padding,
        )
        self._count += 1
        stem = self._directory / f"{self._kind}-{self._count}"
        certfile, keyfile = stem.with_suffix(".crt"), stem.with_suffix(".key")
        certfile.write_bytes(certificate.public_bytes(PEM) + self._chain)
        keyfile.write_bytes(
            key.private_bytes(
                PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(password)
                if password
                else serialization.NoEncryption(),
            )
        )
        return Identity(str(certfile), str(keyfile), certificate)

    def client_context(self, **settings: Any) -> ssl.SSLContext:
        """A verifying context that trusts only this authority."""
        context = ssl.create_default_context(cafile=self.cafile)
        for setting, value in settings.items():
            setattr(context, setting, value)
        return context

    def _key(self) -> Any:
        if self._kind == "rsa":
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return ec.generate_private_key(ec.SECP256R1())

    def _sign(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        key: Any,
        signer: Any,
        *,
        ca: bool = False,
        host: str | None = None,
        days: int = 30,
        padding: int = 0,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        start = now - datetime.timedelta(days=365)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
                critical=False,
            )
        )
        if ca:
            builder = builder.add_extension(
                x509.KeyUsage(False, False, False, False, False, True, True, False, False), True
            )
        if host is not None:
            names = [x509.DNSName(host), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if padding:
            builder = builder.add_extension(
                x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5.6"), bytes(padding)),
                critical=False,
            )
        return builder.sign(signer, hashes.SHA256())


@contextlib.contextmanager
def serving(handler: Callable[[socket.socket], object]) -> Iterator[Any]:
    """Yield an oxisock socket that is connected to `handler`, which runs in a thread.

    The handler is the far end: its error is the test's error.
    """
    errors: list[BaseException] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)

        def run() -> None:
            try:
                conn, _ = listener.accept()
                with conn:
                    conn.settimeout(PATIENCE)
                    handler(conn)
            except BaseException as error:
                errors.append(error)

        with oxisock.create_connection(listener.getsockname(), timeout=PATIENCE) as sock:
            thread = threading.Thread(target=run)
            thread.start()
            try:
                yield sock
            finally:
                sock.close()
                thread.join(PATIENCE)
                assert not thread.is_alive(), "the peer hangs"
    if errors:
        raise errors[0]


def serving_tls(
    handler: Callable[[ssl.SSLSocket], object],
    server: Identity,
    **settings: Any,
) -> contextlib.AbstractContextManager[Any]:
    """As `serving`, with the handshake done: the handler gets the session."""
    context = server.server_context(**settings)

    def run(conn: socket.socket) -> None:
        with context.wrap_socket(conn, server_side=True) as session:
            handler(session)

    return serving(run)


def version(number: str) -> dict[str, ssl.TLSVersion]:
    """Context settings that allow one version of TLS, '1.2' or '1.3'."""
    value = ssl.TLSVersion[f"TLSv{number.replace('.', '_')}"]
    return {"minimum_version": value, "maximum_version": value}


class OpenSSLServer:
    """`openssl s_server`, as a peer that its own commands can be typed to."""

    def __init__(self, server: Identity, *options: str) -> None:
        command = [needs("openssl"), "s_server", "-accept", "127.0.0.1:0", "-no_ign_eof"]
        command += ["-cert", server.certfile, "-cert_chain", server.certfile]
        command += ["-key", server.keyfile, *options]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.output = b""
        try:
            while not (line := self.line()).startswith(b"ACCEPT"):
                pass
            self.address = ("127.0.0.1", int(line.rpartition(b":")[2]))
        except BaseException:
            self.close()
            raise

    def line(self) -> bytes:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"s_server has ended: {self.output!r}")
        self.output += line
        return line

    def until(self, text: bytes) -> None:
        """Read what the server prints until some line has this text."""
        while text not in self.line():
            pass

    def type(self, text: bytes) -> None:
        """Type a command or data and wait until it is read: commands begin a read."""
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()
        deadline = time.monotonic() + PATIENCE
        while any(fcntl.ioctl(self._process.stdin, termios.FIONREAD, bytes(4))):
            assert time.monotonic() < deadline, "s_server reads no commands"
            time.sleep(0.001)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> "OpenSSLServer":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Nginx(NamedTuple):
    """Where a server listens, without and with TLS."""

    plain: tuple[str, int]
    tls: tuple[str, int]


@contextlib.contextmanager
def nginx(directory: Path, server: Identity, *directives: str) -> Iterator[Nginx]:
    """A real nginx that serves `directory`; the directives are for both of its ports."""
    program = needs("nginx")
    addresses = Nginx(("127.0.0.1", free_port()), ("127.0.0.1", free_port()))
    with tempfile.TemporaryDirectory(prefix="oxisock-nginx-") as state:
        temporary = "\n".join(
            f"{kind}_temp_path {state}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config = Path(state, "nginx.conf")
        config.write_text(
            f"""
            daemon off; master_process off; pid {state}/pid; error_log {state}/error.log;
            events {{ worker_connections 128; }}
            http {{
                access_log off; {temporary}
                server {{
                    listen 127.0.0.1:{addresses.plain[1]}; listen 127.0.0.1:{addresses.tls[1]} ssl;
                    ssl_certificate {server.certfile}; ssl_certificate_key {server.keyfile};
                    root {directory};
                    {" ".join(directives)}
                }}
            }}
            """
        )
        with daemon(
            program, "-e", f"{state}/error.log", "-p", state, "-c", str(config),
            port=addresses.tls[1], log=Path(state, "output"),
        ):  # fmt: skip
            yield addresses


def incoming(session: ssl.SSLSocket) -> Iterator[bytes]:
    """What a client sends until it leaves, in whichever way; the old `ssl()` says no goodbye."""
    with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
        while data := session.recv(65536):
            yield data


def goodbye(session: ssl.SSLSocket) -> None:
    """Send close_notify without waiting for the client's."""
    session.settimeout(0)
    with contextlib.suppress(ssl.SSLWantReadError, OSError):
        session.unwrap()
    session.settimeout(PATIENCE)
