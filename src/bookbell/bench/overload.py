"""Events come faster than they can be delivered, for a while: what becomes of deliveries, answers and memory."""

from bookbell.bench.drains import Drain, await_recorded, run_drain
from bookbell.bench.figures import Figures, latency_fields, shapes
from bookbell.bench.publishing import LIMIT_S, Publish, load, requests_of, stage, url_of

REFERENCE_COUNT = 20_000
OFFERED_RATIO = 2.0
CONNECTIONS, BATCH = 16, 100


def run_overload(count: int) -> Figures:
    """Publish in batches at twice the rate of an undisturbed drain, then wait until all is delivered.

    What cannot be accepted at once waits with the publishers, who have CONNECTIONS connections. per_s: deliveries a
    second while events came. delivered_ratio: that against half of an undisturbed drain, since accepting has a right
    to the other half of the core. accept_…: from when a request was sent to its answer. grown_mb: memory of the
    service.
    """
    undisturbed_per_s = run_drain(Drain(count=REFERENCE_COUNT)).per_s or 0
    offered_per_s = OFFERED_RATIO * undisturbed_per_s
    flood = Publish(count=count, batch=BATCH, connections=CONNECTIONS, rate_per_s=offered_per_s / BATCH)
    with stage(None) as (service, sink, organization):
        before_mb = service.memory_mb()
        service.restart_count()
        told = load(service, requests_of(organization, flood), flood)
        delivered, grown_mb = sink.count(), service.memory_mb() - before_mb
        sink.wait_for(count, LIMIT_S, service)
        await_recorded(url_of(service, flood), [service])
        used, asked, seen = service.counted_s(), service.asked(), sink.mark()
        answers = latency_fields(told["answers_ms"])
        return Figures(
            count=count,
            per_s=delivered / told["seconds"],
            cpu_us=used / count * 1e6,
            memory_mb=service.memory_mb(),
            statements=asked[0] / count,
            syncs=asked[1] / count,
            lost=count - seen["count"],
            repeated=seen["repeated"],
            extra={
                "offered_per_s": offered_per_s,
                "accepted_per_s": count / told["seconds"],
                "backlog": count - delivered,
                "accept_p99_ms": answers["p99_ms"] or 0,
                "accept_max_ms": answers["max_ms"] or 0,
                "grown_mb": grown_mb,
                "delivered_ratio": delivered / told["seconds"] / (undisturbed_per_s / 2),
            },
            series=shapes(seen),
        )
