"""The headers of a delivery as a receiver's framework gives them."""

from bookbell.core.signing import Signing, delivery_lines, header_of


def delivery_headers(
    request_id: str, timestamp_s: int, body: bytes, signing: Signing | None, authorization: str | None, user_agent: str
) -> tuple[tuple[str, str], ...]:
    """Names and values, in order."""
    lines = delivery_lines(request_id, timestamp_s, body, signing, authorization, user_agent)
    return tuple(header_of(line) for line in lines)
