"""An answer is kept once under a key, whoever comes at the same time, and forgotten when it is old."""

import threading
from concurrent.futures import ThreadPoolExecutor

from bookbell.store import forgetting, idempotency
from bookbell.store.database import Database, Tx
from bookbell.store.idempotency import Kept
from world import START

ANSWER = Kept("hash", 200, b"{}")


def test_an_answer_is_found_under_its_key_and_scope_only(db: Database) -> None:
    assert db.write_now(idempotency.keep, "pipeline", "k", ANSWER, at=START)
    assert db.read_now(idempotency.find, "pipeline", "k") == ANSWER
    assert db.read_now(idempotency.find, "pipeline", "K") is None
    assert db.read_now(idempotency.find, "operator", "k") is None


def test_a_second_answer_is_not_kept_and_the_transaction_goes_on(db: Database) -> None:
    db.write_now(idempotency.keep, "s", "k", ANSWER, at=START)

    def twice(tx: Tx) -> list[bool]:
        return [
            idempotency.keep(tx, "s", "k", Kept("other", 422, b""), at=START),
            idempotency.keep(tx, "s", "k2", ANSWER, at=START),
        ]

    assert db.write_now(twice) == [False, True]
    assert db.read_now(idempotency.find, "s", "k") == ANSWER


def test_of_many_that_take_a_key_at_once_one_has_it(db: Database) -> None:
    gate = threading.Barrier(6)

    def take(number: int) -> bool:
        gate.wait()
        return db.write_now(idempotency.keep, "s", "k", Kept(str(number), 200, b""), at=START)

    with ThreadPoolExecutor(6) as pool:
        taken = list(pool.map(take, range(6)))
    assert sum(taken) == 1
    kept = db.read_now(idempotency.find, "s", "k")
    assert kept is not None
    assert kept.request_hash == str(taken.index(True))


def test_a_key_that_was_taken_is_filled_and_a_failed_transaction_frees_it(db: Database) -> None:
    def answer(tx: Tx, *, fails: bool) -> None:
        idempotency.keep(tx, "s", "k", Kept("h", 200, b""), at=START)
        if fails:
            raise ConnectionError
        idempotency.fill(tx, "s", "k", b"done")

    try:
        db.write_now(answer, fails=True)
    except ConnectionError:
        assert db.read_now(idempotency.find, "s", "k") is None
    db.write_now(answer, fails=False)
    assert db.read_now(idempotency.find, "s", "k") == Kept("h", 200, b"done")


def test_old_answers_are_forgotten_oldest_first_and_a_bounded_number_at_a_time(db: Database) -> None:
    for number in range(5):
        db.write_now(idempotency.keep, "s", str(number), ANSWER, at=START + number)
    assert db.write_now(forgetting.forget, "idempotency_keys", before=START + 3, count=9) == 3
    assert db.write_now(forgetting.forget, "idempotency_keys", before=START + 3, count=9) == 0
    assert [db.read_now(idempotency.find, "s", str(number)) is not None for number in range(5)] == [False] * 3 + [
        True,
        True,
    ]
