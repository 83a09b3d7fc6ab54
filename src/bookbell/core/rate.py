"""A token bucket: how many requests a rate lets through by now. Times are milliseconds of a monotonic clock."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """tokens: requests that may be started at the instant `at`."""

    tokens: float
    at: int


def filled(bucket: Bucket, rate_per_s: float, now: int) -> Bucket:
    """The bucket by now: a second's worth of tokens at most, and always room for one.

    >>> filled(Bucket(0.0, 0), 4, 500)
    Bucket(tokens=2.0, at=500)
    """
    gained = max(0, now - bucket.at) * rate_per_s / 1000
    return Bucket(min(max(1.0, rate_per_s), bucket.tokens + gained), max(now, bucket.at))


def next_token_ms(bucket: Bucket, rate_per_s: float) -> int:
    """How long after `bucket.at` the next request may start, 0 if one may now.

    >>> next_token_ms(Bucket(0.5, 0), 2)
    250
    """
    return 0 if bucket.tokens >= 1 else math.ceil((1 - bucket.tokens) * 1000 / rate_per_s)


def full_ms(bucket: Bucket, rate_per_s: float) -> int:
    """How long after `bucket.at` the bucket is full again.

    >>> full_ms(Bucket(0.0, 0), 4)
    1000
    """
    return math.ceil((max(1.0, rate_per_s) - bucket.tokens) * 1000 / rate_per_s)
