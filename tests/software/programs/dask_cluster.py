"""A sum over 10^8 numbers and tasks by two worker processes with nannies."""

import os
import socket

import dask
import dask.array
from distributed import Client, LocalCluster


def where():
    return socket.__name__, os.getpid()


if __name__ == "__main__":
    dask.config.set({"distributed.comm.timeouts.connect": "120s"})
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
        memory_limit="1GiB",
    ) as cluster, Client(cluster, timeout=120) as client:  # fmt: skip
        places = client.run(where)
        assert {name for name, _ in places.values()} == {"oxisock"}, places
        assert len({pid for _, pid in places.values()} | {os.getpid()}) == 3
        assert client.run_on_scheduler(where)[0] == "oxisock"
        numbers = dask.array.arange(100_000_000, chunks=5_000_000)
        assert int(numbers.sum().compute()) == sum(range(100_000_000))
        futures = client.map(lambda number: number * number, range(300))
        assert client.gather(futures) == [number * number for number in range(300)]
        # Data goes from worker to worker.
        halves = dask.array.ones((2000, 2000), chunks=(500, 2000))
        assert float((halves @ halves.T).sum().compute()) == 2000.0**3
    print("done on", socket.__name__)
