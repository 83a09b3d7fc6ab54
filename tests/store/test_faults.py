"""What an error of a database says."""

import apsw
import psycopg
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bookbell.store.faults import is_away, is_lost, is_of_no_primary, is_refusal, is_worth_retrying

BROKEN = psycopg.OperationalError("server closed the connection unexpectedly")
ENDED = psycopg.errors.AdminShutdown("terminating connection due to administrator command")
NO_LOCK = psycopg.errors.LockNotAvailable("canceling statement due to lock timeout")
DEADLOCK = psycopg.errors.DeadlockDetected("deadlock detected")
STANDBY = psycopg.errors.ReadOnlySqlTransaction("cannot execute UPDATE in a read-only transaction")
TAKEN = psycopg.errors.UniqueViolation("duplicate key value violates unique constraint")
WRONG = psycopg.errors.UndefinedTable("relation does not exist")


def wrapped(error: Exception) -> DBAPIError:
    return DBAPIError("SELECT 1", None, error)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BROKEN, {is_away, is_lost}),
        (ENDED, {is_away, is_lost}),
        (psycopg.InterfaceError("the connection is closed"), {is_away, is_lost}),
        (NO_LOCK, {is_away}),
        (DEADLOCK, {is_away, is_worth_retrying}),
        (STANDBY, {is_away, is_of_no_primary, is_worth_retrying}),
        (TAKEN, {is_worth_retrying, is_refusal}),
        (WRONG, set()),
        (apsw.BusyError("database is locked"), {is_away, is_worth_retrying}),
        (apsw.FullError("database or disk is full"), {is_away}),
        (apsw.IOError("disk I/O error"), {is_away}),
        (apsw.CantOpenError("unable to open database file"), {is_away}),
        (apsw.SQLError("no such table: t"), set()),
        (apsw.ConstraintError("UNIQUE constraint failed: t.a"), {is_refusal}),
        (psycopg.errors.NumericValueOutOfRange("integer out of range"), {is_refusal}),
        (OverflowError("int too big to convert"), {is_refusal}),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"), {is_refusal}),
        (PoolTimeout("no connection came free"), {is_away}),
        (ValueError("no value of this kind"), {is_refusal}),
    ],
)
def test_an_error_says_the_same_by_the_toolkit_and_below_it(error: Exception, said: set[object]) -> None:
    every = (is_away, is_lost, is_of_no_primary, is_refusal, is_worth_retrying)
    assert {ask for ask in every if ask(error)} == said
    if not isinstance(error, PoolTimeout):
        assert {ask for ask in every if ask(wrapped(error))} == said
