"""The reference from Python: a loop around libcurl that signs and sends, and does nothing else.

Usage: python -m bookbell.bench.bare URL COUNT. What a delivery costs beyond it is the price of durability, retries,
isolation and history. Prints `ready`, and after a line on standard input sends COUNT requests, 64 in flight, and
prints `done`.
"""

import sys
import time
from typing import Any

import pycurl

from bookbell.bench.seeding import BODY, SECRET
from bookbell.core.signing import delivery_lines, signing_with

IN_FLIGHT = 64
SIGNING = signing_with(SECRET)


def run(url: str, count: int) -> None:
    """Send that many signed requests."""
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_MAXCONNECTS, IN_FLIGHT)
    idle = [_handle(url) for _ in range(IN_FLIGHT)]
    started = finished = 0
    while finished < count:
        while idle and started < count:
            started += 1
            _load(idle[-1], started)
            multi.add_handle(idle.pop())
        multi.perform()
        multi.select(1.0)
        _, succeeded, failed = multi.info_read()
        if failed:
            raise RuntimeError(failed[0][2])
        for curl in succeeded:
            multi.remove_handle(curl)
            idle.append(curl)
        finished += len(succeeded)


def _handle(url: str) -> Any:
    curl = pycurl.Curl()
    for option, value in ((pycurl.URL, url), (pycurl.POST, 1), (pycurl.NOSIGNAL, 1), (pycurl.PROXY, "")):
        curl.setopt(option, value)
    curl.setopt(pycurl.WRITEFUNCTION, lambda _: None)
    return curl


def _load(curl: Any, number: int) -> None:
    lines = delivery_lines(f"{number:036d}", int(time.time()), BODY, SIGNING, None, "bare")
    curl.setopt(pycurl.HTTPHEADER, [*lines, "Expect:"])
    curl.setopt(pycurl.POSTFIELDS, BODY)


if __name__ == "__main__":
    print("ready", flush=True)
    sys.stdin.readline()
    run(sys.argv[1], int(sys.argv[2]))
    print("done", flush=True)
    sys.stdin.readline()
