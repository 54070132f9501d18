"""pyzmq beside oxisock: requests, publishing, and its sockets in a poller with ours."""

import socket
import threading

import zmq

context = zmq.Context()
server = context.socket(zmq.REP)
port = server.bind_to_random_port("tcp://127.0.0.1")


def serve():
    for _ in range(500):
        server.send(server.recv().upper())


thread = threading.Thread(target=serve)
thread.start()
client = context.socket(zmq.REQ)
client.connect(f"tcp://127.0.0.1:{port}")
for number in range(500):
    client.send(b"message %d" % number)
    assert client.recv() == b"MESSAGE %d" % number
thread.join()
a, b = socket.socketpair()
poller = zmq.Poller()
poller.register(a, zmq.POLLIN)
poller.register(client, zmq.POLLIN)
assert poller.poll(10) == []
b.send(b"x")
assert poller.poll(60_000) == [(a.fileno(), zmq.POLLIN)]
assert a.recv(1) == b"x"
publisher, subscriber = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
subscriber.connect(f"tcp://127.0.0.1:{publisher.bind_to_random_port('tcp://127.0.0.1')}")
for number in range(1000):
    publisher.send(bytes([number % 256]) * 100)
for number in range(1000):
    assert subscriber.recv() == bytes([number % 256]) * 100
for each in a, b, client, server, publisher, subscriber:
    each.close()
context.term()
print("done on", socket.__name__)
