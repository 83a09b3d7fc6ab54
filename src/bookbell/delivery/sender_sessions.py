"""TLS sessions to resume, and what a new one begins with.

libcurl remembers two sessions each of 25 receivers in one cache, and one of TLS 1.3 serves only once: among more
receivers, or with more than two connections made at once, nearly every handshake would be a full one. So there are
many caches, and an address keeps to few of them: to its first while it has one request at a time.
"""

import re
from typing import Any

import pycurl

CACHE_COUNT = 1_024
_CACHES_PER_URL = 64

# The key exchanges of OpenSSL, with the one that costs a third of a handshake (ML-KEM) not first, so that no key is
# made for it unless the receiver asks. Versions before 3.5 do not know it, and make but one key by themselves.
_GROUPS = "X25519:X25519MLKEM768:P-256:X448:P-384:P-521"
_GROUPS_SINCE = (3, 5)


class Sessions:
    """Caches of sessions, shared by the transfers of one multi handle."""

    def __init__(self) -> None:
        self._caches: dict[int, Any] = {}
        self._busy: dict[str, int] = {}  # transfers by URL

    def open(self, url: str) -> Any:
        """The cache for a new transfer to this URL; call `close` when that has ended."""
        busy = self._busy.get(url, 0)
        self._busy[url] = busy + 1
        number = (hash(url) + busy % _CACHES_PER_URL) % CACHE_COUNT
        cache = self._caches.get(number)
        if cache is None:
            cache = self._caches[number] = pycurl.CurlShare()
            cache.setopt(pycurl.SH_SHARE, pycurl.LOCK_DATA_SSL_SESSION)
        return cache

    def close(self, url: str) -> None:
        """A transfer to this URL has ended."""
        busy = self._busy[url] - 1
        if busy:
            self._busy[url] = busy
        else:
            del self._busy[url]


def groups() -> str | None:
    """The key exchanges to offer, in order; None leaves it to the library."""
    found = re.search(r"OpenSSL/(\d+)\.(\d+)", pycurl.version)
    version = tuple(int(number) for number in found.groups()) if found else (0, 0)
    return _GROUPS if version >= _GROUPS_SINCE else None
