"""1,000 requests from 20 threads over kept connections with TLS, by each of three libraries."""

import hashlib
import socket
import ssl
import sys
import threading

import httpx
import requests
import urllib3

library, base, ca = sys.argv[1:]
LARGE = hashlib.sha256(bytes(range(256)) * 4096).hexdigest()


def by_requests():
    session = requests.Session()
    session.verify = ca
    session.trust_env = False  # nor the proxies and certificates of this machine
    adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=20)
    session.mount("https://", adapter)

    def get(path):
        answer = session.get(base + path, timeout=60)
        return answer.status_code, answer.content

    return get, session.close


def by_urllib3():
    pool = urllib3.PoolManager(maxsize=20, ca_certs=ca, timeout=60)

    def get(path):
        answer = pool.request("GET", base + path, retries=False)
        return answer.status, answer.data

    return get, pool.clear


def by_httpx():
    limits = httpx.Limits(max_connections=20, max_keepalive_connections=20)
    context = ssl.create_default_context(cafile=ca)
    client = httpx.Client(verify=context, timeout=60, limits=limits, trust_env=False)

    def get(path):
        answer = client.get(base + path)
        return answer.status_code, answer.content

    return get, client.close


get, close = {"requests": by_requests, "urllib3": by_urllib3, "httpx": by_httpx}[library]()
good = []


def fetch():
    for number in range(50):
        if number % 10 == 9:
            status, body = get("/large")
            assert hashlib.sha256(body).hexdigest() == LARGE
        else:
            status, body = get("/hello")
            assert body == b"Hello, world"
        assert status == 200
        good.append(number)


threads = [threading.Thread(target=fetch) for _ in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(good) == 1000, len(good)
assert get("/missing")[0] == 404
close()
print("done on", socket.__name__)
