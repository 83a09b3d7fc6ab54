"""One delivery as a pipeline of small steps: due → request → (sender) → report → result.

The steps are functions of values; the engine runs them, the sender does the sending, the store keeps the result.
"""

import dataclasses
import json
from collections.abc import Callable
from functools import partial

from msgspec import Struct, structs

from bookbell import __version__, ed25519
from bookbell.core import keyset, limits, signing, target
from bookbell.core.attempt import Answered, Refused, Report, Request, Timings, Unreachable, describe, kind_of
from bookbell.core.errors import BookbellError
from bookbell.core.feedback import SKIPPED
from bookbell.core.guard import GuardRules, judge_url
from bookbell.core.model import DeliveryState
from bookbell.core.policy import Policy, policy_from
from bookbell.core.verdict import Delivered, Exhausted, Gone, Retry, Skipped, Verdict, judge
from bookbell.delivery.lane import Destination
from bookbell.store.configs import LaneConfig
from bookbell.store.deliveries import AttemptRow, Due, Result
from bookbell.vault import Vault, VaultError

USER_AGENT = f"bookbell/{__version__}"


_NOT_KEPT = "What came of it could not be kept."


class Sent(Struct, frozen=True, gc=False):
    """A delivery on its way: what it is, whose lane and epoch it left from, when, and whether as a circuit's probe."""

    due: Due
    config: LaneConfig
    policy: Policy
    started_at: int
    is_probe: bool = False


def open_destination(config: LaneConfig, vault: Vault, guard: GuardRules) -> Destination:
    """The endpoint's row made ready for sending. What is wrong with it becomes the destination's problem."""
    policy = policy_from(json.loads(config.policy))
    try:
        registered = vault.open(config.url_sealed or b"", f"endpoint-url:{config.endpoint_id}")
        signing_now = None
        if config.secret_sealed is not None:
            opened = vault.open(config.secret_sealed, f"endpoint-secret:{config.endpoint_id}")
            signing_now = keyset.ready(keyset.from_text(opened), ed25519.signing_function)
        parsed = target.parse(registered)
    except (VaultError, BookbellError) as error:
        problem = Unreachable("internal", str(error))
        return Destination(url="", authorization=None, signing=None, policy=policy, problem=problem)
    return Destination(
        url=parsed.url,
        authorization=parsed.authorization(),
        signing=signing_now,
        policy=policy,
        problem=judge_url(parsed, guard),
    )


def prepare(due: Due, destination: Destination, *, now: int) -> Request:
    """The request of the next attempt, stamped and signed for this moment."""
    return Request(
        key=due.id,
        url=destination.url,
        headers=signing.delivery_lines(
            due.id, now // 1000, due.body, destination.signing, destination.authorization, USER_AGENT
        ),
        body=due.body,
        timeout_ms_connect=destination.policy.timeout_ms_connect,
        timeout_ms_total=destination.policy.timeout_ms_total,
    )


def unsent(problem: Refused | Unreachable) -> Report:
    """The report of an attempt that never left the house."""
    return Report(problem, Timings())


class Settling(Struct, frozen=True, gc=False):
    """What settling needs from the world: who, when and chance."""

    worker: str
    now: int
    draw: Callable[[], float]


def of_former(sent: Sent) -> Sent:
    """The same, for a webhook that was configured or resumed meanwhile: who answers for what it was before does not
    end the delivery or slow down others, and it is tried again where the webhook is now.
    """
    policy = dataclasses.replace(sent.policy, is_gone_final=False, is_feedback_honoured=False)
    return structs.replace(sent, policy=policy)


def settle(sent: Sent, report: Report, by: Settling) -> tuple[Result, Verdict]:
    """Judge what came of an attempt, and put it as the rows to be recorded.

    A probe that failed uses up none of the delivery's attempts: it waits on as it was.
    """
    due, number = sent.due, sent.due.attempt_count + 1 - sent.due.probe_count
    verdict = judge(report.outcome, sent.policy, attempt=number, now_ms=by.now, draw=by.draw())
    is_free = sent.is_probe and isinstance(verdict, Retry | Exhausted)
    if is_free:
        verdict = Retry(due.due_at)
    state, due_at, reason = _as_columns(verdict, due)
    result = Result(
        due.lane_pk,
        sent.config.epoch,
        due.id,
        _attempt_row(sent, report, by),
        state,
        due_at,
        None if state is DeliveryState.PENDING else by.now,
        reason,
        due.probe_count + is_free,
        due.queue_pk,
    )
    return result, verdict


def without_answer(result: Result) -> Result:
    """The same without what the receiver had a part in, for a result that the database does not take as it is."""
    attempt = result.attempt._replace(detail=_NOT_KEPT, remote_address=None, response_head=None, response_body=None)
    return structs.replace(result, attempt=attempt)


def _as_columns(verdict: Verdict, due: Due) -> tuple[DeliveryState, int, str | None]:
    match verdict:
        case Delivered():
            return DeliveryState.DELIVERED, due.due_at, None
        case Retry(due_at):
            return DeliveryState.PENDING, due_at, None
        case Exhausted(reason):
            return DeliveryState.EXHAUSTED, due.due_at, reason
        case Gone():
            return DeliveryState.EXHAUSTED, due.due_at, "gone"
        case Skipped():
            return DeliveryState.CANCELLED, due.due_at, SKIPPED


def _attempt_row(sent: Sent, report: Report, by: Settling) -> AttemptRow:
    outcome, due = report.outcome, sent.due
    return _row(
        (
            sent.config.organization_id,
            due.pk,
            due.attempt_count + 1,
            by.worker,
            sent.started_at,
            kind_of(outcome),
            outcome.status_code if isinstance(outcome, Answered) else None,
            describe(outcome),
            *_kept(report.timings),
            report.remote_address,
            report.head[: limits.RESPONSE_HEAD_KEPT_BYTES_MAX] or None,
            report.body[: limits.RESPONSE_KEPT_BYTES_MAX] or None,
            False,
        )
    )


def _kept(timings: Timings) -> Timings:
    """The same, as far as columns hold it. A process that stood still finds its request to have taken hours."""
    if timings.total_us <= limits.TIMING_US_MAX:
        return timings
    return Timings(*(min(phase_us, limits.TIMING_US_MAX) for phase_us in timings))


_row = partial(tuple.__new__, AttemptRow)  # half of the time: a named tuple's own way to be made is a frame more
