"""Commands, and 50 MB each way by SFTP, with a checksum by the server."""

import hashlib
import io
import socket
import sys

import paramiko

port, user, key, host_key, directory = int(sys.argv[1]), *sys.argv[2:]
client = paramiko.SSHClient()
known = client.get_host_keys()
kind, text, *_ = open(host_key).read().split()
known.add(
    f"[127.0.0.1]:{port}",
    kind,
    paramiko.Ed25519Key(data=paramiko.util.b(__import__("base64").b64decode(text))),
)
client.connect(
    "127.0.0.1", port, user, key_filename=key, timeout=60, allow_agent=False, look_for_keys=False
)
assert isinstance(client.get_transport().sock, socket.socket)
_, out, _ = client.exec_command("echo one; echo two")
assert out.read() == b"one\ntwo\n"
data = b"".join(hashlib.sha512(str(number).encode()).digest() for number in range(50 << 14))
assert len(data) == 50 << 20
path = f"{directory}/large"
with client.open_sftp() as sftp:
    sftp.putfo(io.BytesIO(data), path)
    back = io.BytesIO()
    sftp.getfo(path, back)
assert back.getvalue() == data
_, out, _ = client.exec_command(f"sha256sum {path}")
assert out.read().split()[0].decode() == hashlib.sha256(data).hexdigest()
client.close()
print("done on", socket.__name__)
