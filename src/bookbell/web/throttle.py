"""Keeps each organization to its rate of requests. Counts what this process serves; another process counts its own.

Exact counting over processes would cost every request a write; as it is, an organization gets at most the rate times
the number of API processes. Source: contract 12.
"""

from bookbell.core import limits, throttle
from bookbell.core.errors import TooManyRequests
from bookbell.core.throttle import Bucket


class Throttle:
    """The buckets of the organizations that made requests lately. rate_per_s: 0 means no limit."""

    def __init__(self, rate_per_s: int) -> None:
        self._rate_per_s = rate_per_s
        self._buckets: dict[str, Bucket] = {}

    def admit(self, organization_id: str, now_ms: int) -> None:
        """Count one request. now_ms: of a clock that only goes forward. Raises: TooManyRequests."""
        if self._rate_per_s == 0:
            return
        bucket = self._buckets.get(organization_id) or throttle.full(self._rate_per_s, now_ms)
        taken, wait_ms = throttle.take(bucket, self._rate_per_s, now_ms)
        if organization_id not in self._buckets and len(self._buckets) >= limits.BUCKET_COUNT_MAX:
            self._forget_full(now_ms)
        self._buckets[organization_id] = taken
        if wait_ms:
            raise TooManyRequests(wait_ms)

    def __len__(self) -> int:
        return len(self._buckets)

    def _forget_full(self, now_ms: int) -> None:
        rate = self._rate_per_s
        self._buckets = {key: each for key, each in self._buckets.items() if not throttle.is_full(each, rate, now_ms)}
