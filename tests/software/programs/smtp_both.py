"""aiosmtpd receives what smtplib sends: 200 messages, one of 5 MB, with STARTTLS."""

import smtplib
import socket
import ssl
import sys

from aiosmtpd.controller import Controller

certificate, key, ca = sys.argv[1:]
served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
served.load_cert_chain(certificate, key)


class Keep:
    def __init__(self):
        self.messages = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.messages.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 OK"


handler = Keep()
options = {"data_size_limit": 1 << 24, "tls_context": served, "require_starttls": True}
controller = Controller(handler, "127.0.0.1", 0, server_kwargs=options, ready_timeout=60)
# It connects to its own port to see whether it is up, which it has to know beforehand.
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    controller.port = probe.getsockname()[1]
controller.start()
with smtplib.SMTP("localhost", controller.port, timeout=60) as client:
    client.starttls(context=ssl.create_default_context(cafile=ca))
    for number in range(200):
        text = f"Subject: {number}\r\n\r\n" + "line\r\n" * (number % 50)
        client.sendmail("from@example.org", ["to@example.org"], text)
    large = "Subject: large\r\n\r\n" + "x" * 70 + "\r\n"
    large += ("y" * 70 + "\r\n") * 70_000
    client.sendmail("from@example.org", [f"to{number}@example.org" for number in range(9)], large)
controller.stop()
assert len(handler.messages) == 201
for number, (sender, targets, content) in enumerate(handler.messages[:200]):
    assert sender == "from@example.org"
    assert targets == ["to@example.org"]
    assert content.startswith(b"Subject: %d\r\n\r\n" % number)
assert handler.messages[200][2].decode() == large
print("done on", socket.__name__)
