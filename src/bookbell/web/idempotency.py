"""Calls that are carried out once however often they are sent, by their Idempotency-Key.

The answer is kept in the transaction that made it. Source: docs/reporting-outcomes.md.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from bookbell.actions.stamp import Published, Stamp
from bookbell.core import limits
from bookbell.core.errors import BookbellError, IdempotencyMismatch, ValidationFailed
from bookbell.store import idempotency
from bookbell.store.database import Tx
from bookbell.store.group_commit import only
from bookbell.web import wire
from bookbell.web.http import Response
from bookbell.web.routing import parts_of

Item = TypeVar("Item")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes
    is_replay: bool = False


async def carried_out(request: wire.Wire, raw: bytes, carry_out: Callable[[Tx, Stamp], Published[Any]]) -> Response:
    """Run it, once per Idempotency-Key, and answer. raw: the request's body, which the key stands for."""
    context, key = request.context, _idempotency_key(request)
    if key is None:
        return wire.ok(await context.perform(carry_out, context.stamp()))
    scope = _scope(request.path)
    digest = hashlib.sha256(raw).hexdigest()

    def run(tx: Tx, stamp: Stamp) -> Published[_Answer]:
        # The key is taken before the work: a second request with it waits here for the first to commit.
        if not idempotency.keep(tx, scope, key, idempotency.Kept(digest, 200, b""), at=stamp.at):
            kept = idempotency.find(tx, scope, key)
            assert kept is not None
            if kept.request_hash != digest:
                raise IdempotencyMismatch
            return Published(_Answer(kept.response, is_replay=True))
        published = carry_out(tx, stamp)
        body = _envelope(published.value)
        idempotency.fill(tx, scope, key, body)
        return published.showing(_Answer(body))

    answer = await context.perform(run, context.stamp())
    headers = {"Idempotent-Replayed": "true"} if answer.is_replay else {}
    return Response(answer.body, headers=headers)


async def carried_out_each(
    request: wire.Wire,
    raw: bytes,
    action: Callable[[Tx, Sequence[tuple[Item, Stamp]]], Sequence[Published[T] | BookbellError]],
    item: Item,
    shown: Callable[[T], Any],
) -> Response:
    """`carried_out` of one item by an action that takes many; without a key, with others that wait. shown: answers."""
    if request.headers.get("idempotency-key") is None:
        return wire.ok(shown(await request.context.perform_each(action, item)))

    def carry_out(tx: Tx, stamp: Stamp) -> Published[Any]:
        published: Published[T] = only(action, tx, (item, stamp))
        return published.showing(shown(published.value))

    return await carried_out(request, raw, carry_out)


def _scope(path: str) -> str:
    """What a key belongs to: the path however it is spelled, or so much of it that no other can have begun alike.

    A longer one names nothing, and PostgreSQL takes no key of any length.
    """
    return f"POST /{'/'.join(parts_of(path.lower()))}"[: limits.IDEMPOTENCY_SCOPE_CHARS_MAX]


def _idempotency_key(request: wire.Wire) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= limits.IDEMPOTENCY_KEY_CHARS_MAX or not (key.isascii() and key.isprintable()):
        raise ValidationFailed(
            f"Idempotency-Key: 1 to {limits.IDEMPOTENCY_KEY_CHARS_MAX} printable ASCII characters are expected"
        )
    return key


def _envelope(value: Any) -> bytes:
    return msgspec.json.encode({"status": 200, "message": "OK", "response": value})
