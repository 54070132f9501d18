"""1,000 messages of each quality of service between two MQTT clients, plain or over TLS."""

import queue
import socket
import sys

import paho.mqtt.client as mqtt

port, ca = int(sys.argv[1]), sys.argv[2]
received, ready = queue.Queue(), queue.Queue()


def client(name):
    made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name)
    if ca:
        made.tls_set(ca)
    made.connect("localhost", port)
    return made


listener = client("listener")
listener.on_message = lambda client, data, message: received.put((message.topic, message.payload))
listener.on_subscribe = lambda *arguments: ready.put(True)
listener.subscribe("news/#", 2)
listener.loop_start()
assert ready.get(timeout=60)
assert isinstance(listener.socket(), socket.socket)
speaker = client("speaker")
speaker.loop_start()
for quality in 0, 1, 2:
    # No more on the way than a server keeps for a client that is slow.
    for first in range(0, 1000, 100):
        sent = [b"%d %s" % (number, b"x" * number) for number in range(first, first + 100)]
        for payload in sent:
            speaker.publish(f"news/{quality}", payload, quality)
        got = [received.get(timeout=60) for _ in sent]
        assert got == [(f"news/{quality}", payload) for payload in sent]
for each in listener, speaker:
    each.disconnect()
    try:
        each.loop_stop()
    except AttributeError:
        pass  # paho looks for its thread twice, which may end in between
print("done on", socket.__name__)
