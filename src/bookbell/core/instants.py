"""Instants in ids, in days and hours, and as people write them.

An id is a UUID of version 7, so its first twelve hexadecimal digits are when it was made and ids sort by time: a
range of time is a range of ids, and no index beside the primary key is needed to walk it. Keys of attempts are numbers
that sort by time likewise; a position among either is a text.
"""

import re
from datetime import UTC, datetime

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
KEY_BITS = 20  # of a key, below its instant: so many attempts in one millisecond have keys of their own
_KEYED_AT_MAX = (1 << 63 - KEY_BITS) - 1  # in the year 2248
_AT_MAX = 253_402_300_799_999  # the end of the year 9999, and less than the 48 bits of an id
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])")


def id_floor(at: int) -> str:
    """A text below every id made at that instant or later, and above every id made before.

    >>> id_floor(1_750_000_000_000)
    '01977420-dc00'
    """
    digits = f"{min(max(at, 0), _AT_MAX):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def made_at(id_: str) -> int:
    """When an id was made; the empty text was made at 0.

    >>> made_at("01977420-dc00-7000-8000-000000000001")
    1750000000000
    """
    return int(id_[:8] + id_[9:13] or "0", 16)


def key_floor(at: int) -> int:
    """A number not above any key made at that instant or later, and above every key made before."""
    return min(at, _KEYED_AT_MAX) << KEY_BITS


def position_of(key: int) -> str:
    """The position of a key: above `id_floor` of its instant, below that of the next.

    >>> position_of(key_floor(1_750_000_000_000) + 10)
    '01977420-dc00-0000a'
    """
    return f"{id_floor(key >> KEY_BITS)}-{key & (1 << KEY_BITS) - 1:05x}"


def last_key(position: str) -> int:
    """The last key that is not behind a position; the empty text is before all.

    >>> floor = key_floor(1_750_000_000_000)
    >>> last_key(position_of(floor + 10)) - floor, last_key("01977420-dc00") - floor, last_key("")
    (10, -1, -1)
    """
    _, _, number = position[9:].partition("-")
    return key_floor(made_at(position)) + (int(number, 16) if number else -1)


def day_of(at: int) -> int:
    """The start of the day (UTC) of an instant."""
    return at - at % DAY_MS


def instant_from(text: str, now: int) -> int | None:
    """The instant that a text names: ISO 8601 (UTC unless it says otherwise), or how long before now; None if neither.

    Gives: 0 for everything before 1970.

    >>> instant_from("24h", 86_400_000), instant_from("1970-01-01T00:00:01Z", 0), instant_from("soon", 0)
    (0, 1000, None)
    """
    if match := _DURATION.fullmatch(text):
        return max(0, now - int(match[1]) * _UNITS_MS[match[2]])
    try:
        parsed = datetime.fromisoformat(text)
        aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return min(max(0, int(aware.timestamp() * 1000)), _AT_MAX)
    except (ValueError, OverflowError):
        return None
