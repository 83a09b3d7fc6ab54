"""How many requests an organization may make: a token bucket as a value.

A full bucket holds one second's worth, so that many may come at once; it fills at the same rate. Amounts are in
thousandths of a request, so that whole milliseconds are exact. Knows no clock. Source: contract 12.
"""

from dataclasses import dataclass

REQUEST = 1_000  # one request, in thousandths


@dataclass(frozen=True, slots=True)
class Bucket:
    """left: what may still be taken, as of `at` (milliseconds of a clock that only goes forward)."""

    left: int
    at: int


def full(rate_per_s: int, now: int) -> Bucket:
    """The bucket of one who has made no request for a second."""
    return Bucket(rate_per_s * REQUEST, now)


def take(bucket: Bucket, rate_per_s: int, now: int) -> tuple[Bucket, int]:
    """Take one request out of the bucket.

    Gives: the bucket after it, and 0; or, when there is not enough, the bucket with nothing taken and the
    milliseconds after which there will be.
    """
    filled = Bucket(min(rate_per_s * REQUEST, bucket.left + (now - bucket.at) * rate_per_s), now)
    lacking = REQUEST - filled.left
    if lacking > 0:
        return filled, -(-lacking // rate_per_s)
    return Bucket(filled.left - REQUEST, now), 0


def is_full(bucket: Bucket, rate_per_s: int, now: int) -> bool:
    """Whether it can be forgotten, because a new one would be the same."""
    return bucket.left + (now - bucket.at) * rate_per_s >= rate_per_s * REQUEST
