"""What events, deliveries and attempts look like in answers. An extension of ours."""

from bookbell.core.model import DeliveryState
from bookbell.web.operation import PK
from bookbell.web.shape import anything, choice, exact_instant, flag, listed, nullable, record, text, uuid, whole

ID = text("01976f0e-5a00-7c3d-9e21-4b7a90c1d2e3")
_US = nullable(whole(1250))

_DELIVERY = {
    "id": ID,
    "event_id": ID,
    "event": text("BOOK_VERIFIED"),
    "book_pk": nullable(PK),
    "webhook_uuid": nullable(uuid()),
    "state": choice(DeliveryState, "delivered"),
    "reason": nullable(text("attempts")),
    "attempt_count": whole(1),
    "replay_of": nullable(ID),
    "replay_id": nullable(ID),
    "created_at": exact_instant(),
    "next_attempt_at": nullable(exact_instant()),
    "finished_at": nullable(exact_instant()),
}
_ATTEMPT = record(
    {
        "number": whole(1),
        "started_at": exact_instant(),
        "outcome": text("answered"),
        "status_code": nullable(whole(200)),
        "detail": nullable(text("connection refused")),
        "timings_us": record({"dns": _US, "connect": _US, "tls": _US, "first_byte": _US, "total": _US}),
        "remote_address": nullable(text("203.0.113.9")),
        "response_headers": anything([["content-type", "text/plain"]]),
        "response_body": nullable(text("ok")),
        "worker": text("host:4b7a90c1d2e3"),
        "is_stale": flag(False),
    }
)
DELIVERY = record(_DELIVERY)
EVENT = record(
    {
        "id": ID,
        "event": text("BOOK_VERIFIED"),
        "book_pk": nullable(PK),
        "created_at": exact_instant(),
        "matched_count": whole(1),
        "body": nullable(anything({"status": "BOOK_COMPLETE", "book_pk": 40120077})),
        "pruned": flag(False),
    },
    {"deliveries": listed(DELIVERY)},
)
INSPECTED = record(
    {
        **_DELIVERY,
        "body": nullable(anything({"status": "BOOK_COMPLETE"})),
        "pruned": flag(False),
        "attempts": listed(_ATTEMPT),
    }
)
