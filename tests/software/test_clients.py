"""Client libraries against servers of Debian's packages, plain and over TLS."""

from pathlib import Path

import pytest

from tests.helpers.tls import authority, nginx
from tests.software import servers
from tests.software.running import software, tried


@software("redis", "redis-server")
@pytest.mark.parametrize("protocol", ["RESP2", "RESP3"])
@pytest.mark.parametrize("transport", ["plain", "TLS"])
def test_redis(transport: str, protocol: str) -> None:
    """10,000 keys from four threads, pipelines, a value of 10 MB, publish and subscribe."""
    with servers.redis_server() as ports:
        port, ca = (ports.tls, authority().cafile) if transport == "TLS" else (ports.plain, "")
        tried("redis_client.py", port, protocol[-1], ca)


@software("requests", "urllib3", "httpx", "nginx")
@pytest.mark.parametrize("library", ["requests", "urllib3", "httpx"])
def test_http_clients(library: str, tmp_path: Path) -> None:
    """1,000 requests from 20 threads over kept TLS connections, checksums of 1 MiB."""
    (tmp_path / "hello").write_text("Hello, world")
    (tmp_path / "large").write_bytes(bytes(range(256)) * 4096)
    with nginx(tmp_path, authority().issue(host="localhost")) as addresses:
        tried(
            "http_clients.py", library, f"https://localhost:{addresses.tls[1]}", authority().cafile
        )


@software("pg8000", "postgres")
@pytest.mark.parametrize("transport", ["plain", "TLS"])
def test_pg8000(transport: str) -> None:
    """20,000 rows each way, COPY, parameters, errors, a value of 10 MB."""
    with servers.postgres() as port:
        ca = authority().cafile if transport == "TLS" else ""
        tried("postgres_client.py", "pg8000.dbapi", port, ca)


@software(
    "psycopg", "postgres", limits="its C library libpq makes the sockets, which stay as they are"
)
def test_psycopg() -> None:
    """The same as pg8000: it works beside oxisock, and gains nothing."""
    with servers.postgres() as port:
        tried("postgres_client.py", "psycopg", port, authority().cafile)


@software("PyMySQL", "mariadbd")
def test_pymysql() -> None:
    """20,000 rows each way, plain and over TLS, errors, a value of 10 MB, unbuffered reading."""
    with servers.mariadb() as port:
        tried("mysql_client.py", port, "")
        tried("mysql_client.py", port, authority().cafile)


@software("paramiko", "sshd")
def test_paramiko() -> None:
    """Commands, and 50 MB each way by SFTP with a checksum by the server."""
    with servers.openssh() as ssh:
        tried("ssh_client.py", *ssh)
