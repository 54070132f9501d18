"""Servers of Debian's packages, each for a test: on a free port, in a directory of its own."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.helpers.net import daemon, free_port
from tests.helpers.process import missing, needs, output_of
from tests.helpers.tls import Identity, authority

LIBRARIES = "/usr/lib/postgresql"


class Ports(NamedTuple):
    """Where a server listens, without and with TLS."""

    plain: int
    tls: int


def certificate(directory: Path, owner: str | None = None) -> Identity:
    """A certificate for ``localhost`` whose key that user alone can read."""
    issued = authority().issue(host="localhost")
    for path in (issued.certfile, issued.keyfile):
        shutil.copy(path, directory)
    key = directory / Path(issued.keyfile).name
    key.chmod(0o600)
    if owner is not None:
        shutil.chown(key, owner)
    return Identity(str(directory / Path(issued.certfile).name), str(key), issued.certificate)


@contextmanager
def directory(owner: str | None = None) -> Iterator[Path]:
    """A new directory with a short name, which that user can enter as well."""
    with tempfile.TemporaryDirectory(prefix="oxisock-") as name:
        path = Path(name)
        if owner is not None:
            shutil.chown(path, owner)
        yield path


@contextmanager
def redis_server() -> Iterator[Ports]:
    with directory() as place:
        ports, ours = Ports(free_port(), free_port()), certificate(place)
        with daemon(
            needs("redis-server"), "--port", str(ports.plain), "--bind", "127.0.0.1",
            "--tls-port", str(ports.tls), "--tls-cert-file", ours.certfile,
            "--tls-key-file", ours.keyfile, "--tls-auth-clients", "no",
            "--save", "", "--appendonly", "no", "--dir", str(place),
            port=ports.tls, log=place / "log",
        ):  # fmt: skip
            yield ports


def _postgres(program: str) -> str:
    """A program of PostgreSQL, which Debian keeps out of PATH, of its newest version."""
    found = sorted(Path(LIBRARIES).glob(f"*/bin/{program}"), key=lambda path: int(path.parts[4]))
    return str(found[-1]) if found else needs(program)


def _as_user(user: str | None) -> list[str]:
    """What runs a command as that user, for servers that refuse to run as root."""
    if user is None:
        return []
    return [needs("setpriv"), f"--reuid={user}", f"--regid={user}", "--init-groups"]


@contextmanager
def postgres() -> Iterator[int]:
    """A PostgreSQL that trusts everybody, with TLS."""
    user = "postgres" if os.geteuid() == 0 else None
    initdb, server = _postgres("initdb"), _postgres("postgres")
    with directory(user) as place:
        data, port, ours = place / "data", free_port(), certificate(place, user)
        options = ["--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8"]
        output_of([*_as_user(user), initdb, *options, "--locale=C.UTF-8", str(data)])
        settings = {
            "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": place,
            "fsync": "off", "ssl": "on", "ssl_cert_file": ours.certfile,
            "ssl_key_file": ours.keyfile, "max_connections": 20,
        }  # fmt: skip
        chosen = [part for pair in settings.items() for part in ("-c", "{}={}".format(*pair))]
        command = [*_as_user(user), server, "-D", str(data), *chosen]
        with daemon(*command, port=port, log=place / "log"):
            yield port


@contextmanager
def mariadb() -> Iterator[int]:
    """A MariaDB whose root has no password, with TLS."""
    user = pwd.getpwuid(os.geteuid()).pw_name
    with directory() as place:
        data, port, ours = place / "data", free_port(), certificate(place)
        common = ["--no-defaults", f"--user={user}", f"--datadir={data}"]
        install = [
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ]
        output_of([needs("mariadb-install-db"), *common, *install])
        with daemon(
            needs("mariadbd"), *common, f"--port={port}", "--bind-address=127.0.0.1",
            f"--socket={place}/socket", f"--pid-file={place}/pid", f"--ssl-cert={ours.certfile}",
            f"--ssl-key={ours.keyfile}", "--max-allowed-packet=64M", "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M",
            port=port, log=place / "log",
        ):  # fmt: skip
            yield port


class SSH(NamedTuple):
    """How to log in at an OpenSSH server."""

    port: int
    user: str
    key: str
    host_key: str
    directory: str


@contextmanager
def openssh() -> Iterator[SSH]:
    """An OpenSSH server for the user who runs the tests."""
    server, keygen = needs("sshd"), needs("ssh-keygen")
    if os.geteuid() == 0:
        # Where it leaves its rights; the package's service makes it at each start.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with directory() as place:
        port, user = free_port(), pwd.getpwuid(os.geteuid()).pw_name
        for name in ("host", "user"):
            output_of([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)])
        config = place / "config"
        config.write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {place}/host\nPidFile none\n"
            f"AuthorizedKeysFile {place}/user.pub\nStrictModes no\nUsePAM no\n"
            "PermitRootLogin yes\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
        )
        with daemon(server, "-D", "-e", "-f", str(config), port=port, log=place / "log"):
            yield SSH(port, user, str(place / "user"), str(place / "host.pub"), str(place))


@contextmanager
def mosquitto() -> Iterator[Ports]:
    with directory() as place:
        ports, ours = Ports(free_port(), free_port()), certificate(place)
        user = pwd.getpwuid(os.geteuid()).pw_name
        config = place / "config"
        config.write_text(
            f"user {user}\nallow_anonymous true\npersistence false\nlog_dest stderr\n"
            f"listener {ports.plain} 127.0.0.1\nlistener {ports.tls} 127.0.0.1\n"
            f"certfile {ours.certfile}\nkeyfile {ours.keyfile}\n"
        )
        with daemon(needs("mosquitto"), "-c", str(config), port=ports.tls, log=place / "log"):
            yield ports


def version_of(program: str) -> str:
    """The version that a server's program tells, for the page of what was tried."""
    path = _postgres(program) if program == "postgres" else shutil.which(program, path=PATH)
    if path is None:
        missing(f"{program} is not installed")
    flag = {"sshd": "-V", "mosquitto": "-h", "nginx": "-v", "wrk": "-v"}.get(program, "--version")
    done = subprocess.run([path, flag], capture_output=True, text=True, check=False, timeout=60)
    return (done.stdout + done.stderr).strip().partition("\n")[0]


PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
