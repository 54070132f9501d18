"""pyftpdlib serves ftplib: 20 MB each way, passive and active; lists."""

import ftplib
import hashlib
import io
import socket
import tempfile
import threading

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import ThreadedFTPServer

DATA = b"".join(hashlib.sha512(str(number).encode()).digest() for number in range(20 << 14))
with tempfile.TemporaryDirectory() as directory:
    authorizer = DummyAuthorizer()
    authorizer.add_user("user", "secret", directory, perm="elradfmw")
    FTPHandler.authorizer = authorizer
    server = ThreadedFTPServer(("127.0.0.1", 0), FTPHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    for passive in True, False:
        with ftplib.FTP(timeout=60) as client:
            client.connect(*server.address)
            client.login("user", "secret")
            client.set_pasv(passive)
            client.storbinary("STOR large", io.BytesIO(DATA))
            back = io.BytesIO()
            client.retrbinary("RETR large", back.write)
            assert back.getvalue() == DATA
            assert client.size("large") == len(DATA)
            assert client.nlst() == ["large"]
            client.delete("large")
    server.close_all()
print("done on", socket.__name__)
