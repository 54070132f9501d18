"""A manager of multiprocessing on one machine, its clients on another: two network namespaces."""

import socket
import subprocess
import sys
from multiprocessing.managers import BaseManager

HERE, THERE, KEY = ("10.77.0.1", 5000), ("10.77.0.2", 0), b"tests"


class Store:
    def __init__(self):
        self.items = {}

    def put(self, name, value):
        self.items[name] = value
        return len(self.items)

    def get(self, name):
        return self.items[name]

    def module(self):
        return socket.__name__


class Manager(BaseManager):
    pass


def client():
    Manager.register("store")
    manager = Manager(HERE, KEY)
    manager.connect()
    store = manager.store()
    assert store.module() == "oxisock"
    for number in range(300):
        store.put(number, bytes([number % 256]) * number * 100)
    for number in range(300):
        assert store.get(number) == bytes([number % 256]) * number * 100
    print("done on", socket.__name__)


def main():
    store = Store()
    Manager.register("store", lambda: store)
    manager = Manager(HERE, KEY)
    manager.start()
    # The other machine: a namespace of its own, whose device this one has made.
    with subprocess.Popen(["unshare", "--net", "sleep", "600"]) as other:
        try:
            subprocess.run(
                f"""
                while [ "$(readlink /proc/{other.pid}/ns/net)" = "$(readlink /proc/self/ns/net)" ]
                do sleep 0.05; done
                ip link set lo up
                ip link add here type veth peer name there netns {other.pid}
                ip address add {HERE[0]}/24 dev here
                ip link set here up
                nsenter --net=/proc/{other.pid}/ns/net sh -c '
                    ip address add {THERE[0]}/24 dev there; ip link set there up; ip link set lo up'
                """,
                shell=True, check=True, timeout=60,
            )  # fmt: skip
            command = [sys.executable, __file__, "client"]
            subprocess.run(
                ["nsenter", f"--net=/proc/{other.pid}/ns/net", *command], check=True, timeout=120
            )
            # As long as its address is there: it goes with the other namespace.
            manager.shutdown()
        finally:
            other.kill()


if __name__ == "__main__":
    client() if sys.argv[1:] == ["client"] else main()
