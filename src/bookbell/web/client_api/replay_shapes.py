"""What replays look like in requests and answers, for clients and for the operator. An extension of ours."""

from typing import Any

from bookbell.actions.replays import Asked, Plan, Staging
from bookbell.core import limits
from bookbell.core.errors import MissingParameter, ValidationFailed
from bookbell.core.guard import demand_target
from bookbell.core.model import DeliveryId, DeliveryState
from bookbell.core.replay import JobState, ReplayJob, Selection, Wanted
from bookbell.web import wire
from bookbell.web.client_api.history_shapes import ID
from bookbell.web.context import Context
from bookbell.web.operation import PK, may, usual
from bookbell.web.shape import (
    INTEGER_MAX,
    Schema,
    choice,
    exact_instant,
    flag,
    instant,
    listed,
    nullable,
    record,
    text,
    uuid,
    whole,
)

URL = text("https://staging.example.net/ocrolus", maxLength=limits.URL_CHARS_MAX)
SECRET = text("sample_secret_value_01", minLength=limits.SECRET_CHARS_MIN, maxLength=limits.SECRET_CHARS_MAX)
FIELDS = (
    usual("select", choice(Selection), "What to take; `failed` if not given. With `delivery_id`: that one, always."),
    usual("since", instant(), "Nothing older than this; needed without `delivery_id`."),
    may("until", instant(), "Nothing newer than this; now if not given."),
    may("event", listed(text("BOOK_VERIFIED")), "Only these event types."),
    may("book_pk", PK, "Only of this book."),
    may("delivery_id", ID, "This one delivery."),
    may("rate_per_s", whole(50, least=1, most=limits.REPLAY_RATE_MAX), "How many are made due in a second; 50."),
    may("staging_url", URL, "Send copies there, and leave the webhook alone; credentials may stand in it."),
    may("staging_secret", SECRET, "Sign what is sent there with this."),
    may("dry_run", flag(False), "Only say what there is to do."),
)
_CANDIDATE = record(
    {
        "delivery_id": nullable(ID),
        "event_id": ID,
        "event": text("BOOK_VERIFIED"),
        "book_pk": nullable(PK),
        "state": nullable(choice(DeliveryState, "exhausted")),
        "created_at": exact_instant(),
    }
)
ESTIMATE = record({"count": whole(120), "is_exact": flag(), "sample": listed(_CANDIDATE)})
_JOB: dict[str, Schema] = {
    "id": ID,
    "state": choice(JobState),
    "detail": nullable(text("The webhook is not registered any more, so there is nowhere to send to.")),
    "webhook_uuid": uuid(),
    "select": choice(Selection),
    "since": exact_instant(),
    "until": exact_instant(),
    "event": nullable(listed(text("BOOK_VERIFIED"))),
    "book_pk": nullable(PK),
    "delivery_id": nullable(ID),
    "rate_per_s": whole(50),
    "is_staging": flag(False),
    "total_count": whole(120),
    "is_total_exact": flag(),
    "recovered_count": whole(20),
    "replayed_count": whole(0),
    "created_at": exact_instant(),
    "finished_at": nullable(exact_instant()),
}
JOB = record(_JOB)
FULL_JOB = record({**_JOB, "deliveries": record({state.value: whole(5) for state in DeliveryState})})


def asked_of(params: wire.Params, context: Context, *, now: int) -> Asked:
    """A replay as the request asks for it.

    Raises: MissingParameter, ValidationFailed, InvalidInput when the guard refuses the staging URL.
    """
    delivery_id, since = params.uuid("delivery_id"), params.instant("since", now)
    if since is None and delivery_id is None:
        raise MissingParameter("Required parameter not found: since, or delivery_id")
    selected = params.text("select") or Selection.FAILED
    if selected not in list(Selection):
        raise ValidationFailed(f"select: one of {', '.join(Selection)} is expected")
    rate = params.integer("rate_per_s")
    if rate is not None and not 1 <= rate <= limits.REPLAY_RATE_MAX:
        raise ValidationFailed(f"rate_per_s: a whole number from 1 to {limits.REPLAY_RATE_MAX} is expected")
    book_pk = params.integer("book_pk")
    if book_pk is not None and not 0 <= book_pk <= INTEGER_MAX:
        raise ValidationFailed(f"book_pk: a whole number from 0 to {INTEGER_MAX} is expected")
    until = params.instant("until", now)
    return Asked(
        wanted=Wanted(
            selection=Selection(selected) if delivery_id is None else Selection.ALL,
            since_at=since or 0,
            until_at=now if until is None else min(until, now),
            delivery_id=None if delivery_id is None else DeliveryId(delivery_id),
            event_types=frozenset(params.texts("event")) or None,
            book_pk=book_pk,
        ),
        rate_per_s=rate or limits.REPLAY_RATE_DEFAULT,
        staging=_staging(params, context),
    )


def _staging(params: wire.Params, context: Context) -> Staging | None:
    url, secret = params.text("staging_url"), params.text("staging_secret")
    if url is None:
        if secret is not None:
            raise ValidationFailed("staging_secret: there is no staging_url to sign for")
        return None
    return Staging(url=url, masked=demand_target(url, context.guard).masked(), secret=secret)


def shown_plan(plan: Plan) -> dict[str, Any]:
    """What there is to do for one webhook."""
    expected = plan.expected
    sample = [
        {
            "delivery_id": each.delivery_id,
            "event_id": each.event_id,
            "event": each.event_type,
            "book_pk": each.book_pk,
            "state": each.state,
            "created_at": wire.exact_instant(each.created_at),
        }
        for each in expected.sample
    ]
    return {"count": expected.count, "is_exact": expected.is_exact, "sample": sample}


def shown_job(job: ReplayJob) -> dict[str, Any]:
    """A job as it is answered."""
    wanted = job.wanted
    return {
        "id": job.id,
        "state": job.state,
        "detail": job.detail,
        "webhook_uuid": job.endpoint_id,
        "select": wanted.selection,
        "since": wire.exact_instant(wanted.since_at),
        "until": wire.exact_instant(wanted.until_at),
        "event": None if wanted.event_types is None else sorted(wanted.event_types),
        "book_pk": wanted.book_pk,
        "delivery_id": wanted.delivery_id,
        "rate_per_s": job.rate_per_s,
        "is_staging": job.staging_id is not None,
        "total_count": job.total_count,
        "is_total_exact": job.is_total_exact,
        "recovered_count": job.recovered_count,
        "replayed_count": job.replayed_count,
        "created_at": wire.exact_instant(job.created_at),
        "finished_at": None if job.finished_at is None else wire.exact_instant(job.finished_at),
    }


def shown_full(job: ReplayJob, outcomes: dict[DeliveryState, int]) -> dict[str, Any]:
    """A job with how its deliveries stand."""
    return {**shown_job(job), "deliveries": {state.value: outcomes[state] for state in DeliveryState}}
