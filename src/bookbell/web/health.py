"""Whether the process lives, whether it can serve, and its metrics."""

from bookbell import telemetry
from bookbell.store.database import Tx
from bookbell.web import wire
from bookbell.web.http import Response
from bookbell.web.operation import Access, Operation, Tag, bare, described, other
from bookbell.web.routing import get
from bookbell.web.shape import choice, record, text


@get(
    "/health/live",
    opt=described(
        Operation(tag=Tag.HEALTH, access=Access.ANYBODY, answer=bare(record({"status": {"const": "live"}})))
    ),
)
async def live(_request: wire.Wire) -> Response:
    """The process answers."""
    return wire.answer({"status": "live"})


@get(
    "/health/ready",
    opt=described(
        Operation(
            tag=Tag.HEALTH,
            access=Access.ANYBODY,
            answer=bare(record({"status": {"const": "ready"}})),
            others={
                503: bare(
                    record(
                        {"status": choice(["stopping", "database unreachable"])}, {"detail": text("OperationalError")}
                    ),
                    "Not ready.",
                )
            },
        )
    ),
)
async def ready(request: wire.Wire) -> Response:
    """The database answers and no stop was asked for; 503 otherwise, with the reason."""
    context = request.context
    if context.is_stopping():
        return wire.answer({"status": "stopping"}, status=503)
    try:
        await context.database.read(_ping)
    except Exception as error:  # noqa: BLE001 - whatever the database's failure, the answer is: not ready
        return wire.answer({"status": "database unreachable", "detail": type(error).__name__}, status=503)
    return wire.answer({"status": "ready"})


@get(
    "/metrics",
    opt=described(Operation(tag=Tag.HEALTH, access=Access.ANYBODY, answer=other("text/plain", "Prometheus text."))),
)
async def metrics(_request: wire.Wire) -> Response:
    """Prometheus text."""
    return Response(telemetry.metrics_page(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _ping(tx: Tx) -> None:
    tx.exec_driver_sql("SELECT 1")


routes = [live, ready, metrics]
