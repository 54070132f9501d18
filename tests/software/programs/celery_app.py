"""Tasks of a Celery worker with two forked processes, and their caller."""

import os
import socket
import sys

from celery import Celery, chord, group

url = os.environ["BROKER"]
app = Celery("celery_app", broker=url, backend=url)
app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)


@app.task
def add(a, b):
    return a + b


@app.task
def total(values):
    return sum(values)


@app.task
def where():
    return socket.__name__, os.getpid()


@app.task
def fail():
    raise ValueError("as asked for")


if __name__ == "__main__":
    from celery_app import add, fail, total, where

    places = group(where.s() for _ in range(50))().get(timeout=120)
    assert {name for name, _ in places} == {"oxisock"}, places
    assert os.getpid() not in {pid for _, pid in places}
    sums = group(add.s(number, number) for number in range(500))().get(timeout=120)
    assert sums == [2 * number for number in range(500)]
    assert chord((add.s(number, 1) for number in range(50)), total.s())().get(timeout=120) == 1275
    try:
        fail.delay().get(timeout=120)
    except ValueError as error:
        assert error.args == ("as asked for",)
    big = list(range(100_000))
    assert total.delay(big).get(timeout=120) == sum(big)
    app.control.shutdown()
    print("done on", socket.__name__)
    sys.stdout.flush()
    os._exit(0)
