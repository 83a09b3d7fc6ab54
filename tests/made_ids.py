"""Ids like those of the service, of parts that a test chooses."""


def uuid7_text(unix_ms: int, counter: int, tail: int) -> str:
    """RFC 9562 version 7 as text, from 48 bits of milliseconds, 12 of a counter and 62 of randomness."""
    head, bits = f"{unix_ms & (1 << 48) - 1:012x}", 0b10 << 62 | tail
    return f"{head[:8]}-{head[8:]}-7{counter:03x}-{bits >> 48:04x}-{bits & (1 << 48) - 1:012x}"
