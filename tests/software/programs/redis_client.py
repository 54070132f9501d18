"""Sets and reads 10,000 keys from four threads, pipelines, subscribes; RESP2 or RESP3, also TLS."""

import socket
import sys
import threading

import redis

port, protocol, ca = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
options = {"ssl": True, "ssl_ca_certs": ca} if ca else {}
client = redis.Redis("localhost", port, protocol=protocol, socket_timeout=60, **options)
held = client.connection_pool.get_connection()
assert isinstance(held._sock, socket.socket), held._sock
client.connection_pool.release(held)
client.flushall()


def value(number):
    return f"value {number} {'x' * (number % 300)}".encode()


def keys(first):
    for number in range(first, first + 2500):
        assert client.set(f"key:{number}", value(number))
    for number in range(first, first + 2500):
        assert client.get(f"key:{number}") == value(number)
    good.append(first)


good = []
threads = [threading.Thread(target=keys, args=(first,)) for first in range(0, 10_000, 2500)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(good) == [0, 2500, 5000, 7500], good
assert client.dbsize() == 10_000
with client.pipeline() as pipe:
    for number in range(10_000):
        pipe.get(f"key:{number}")
    assert pipe.execute() == [value(number) for number in range(10_000)]
big = bytes(range(256)) * 40_000
client.set("big", big)
assert client.get("big") == big
client.hset("hash", mapping={"one": 1, "two": 2})
assert client.hgetall("hash") == {b"one": b"1", b"two": b"2"}
with client.pubsub() as channel:
    channel.subscribe("news")
    assert channel.get_message(timeout=60)["type"] == "subscribe"
    for number in range(1000):
        assert client.publish("news", number) == 1
    got = [channel.get_message(timeout=60)["data"] for _ in range(1000)]
    assert got == [str(number).encode() for number in range(1000)]
    assert channel.get_message(timeout=0.05) is None
client.close()
print("done on", socket.__name__)
