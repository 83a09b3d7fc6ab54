"""What an error of a database says: it is away, a connection broke, or it is worth another try."""

import apsw
import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

DRIVER_ERRORS = (DBAPIError, apsw.Error, psycopg.Error)
"""What statements raise: below the toolkit, the driver's own."""

_AWAY_ERRORS = (
    apsw.AbortError,
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.FullError,
    apsw.IOError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
)
_REFUSED_ERRORS = (
    apsw.ConstraintError,
    apsw.MismatchError,
    apsw.RangeError,
    apsw.TooBigError,
    psycopg.DataError,
    psycopg.IntegrityError,
    OverflowError,
    TypeError,
    ValueError,  # text that has no bytes, among others
)
# Serialization failure, deadlock, a name that another transaction took meanwhile (run again, fn finds it taken), and
# a process that stalled within the transaction, whose session the server ended before it could have committed.
_RETRIED_SQLSTATES = {"40001", "40P01", "23505", "25P03"}
_READ_ONLY_SQLSTATE = "25006"
_SHUTDOWN_SQLSTATES = "57P"


def is_away(error: BaseException) -> bool:
    """Whether this says that the database cannot be used at the moment, rather than that a statement is wrong."""
    return isinstance(error, PoolTimeout) or isinstance(_original(error), _AWAY_ERRORS)


def is_refusal(error: BaseException) -> bool:
    """Whether this says that the database, or its driver, does not take a value, however often it is asked."""
    return isinstance(_original(error), _REFUSED_ERRORS)


def is_lost(error: BaseException) -> bool:
    """Whether a connection that was open broke, or its server ended it."""
    original = _original(error)
    if not isinstance(original, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    return original.sqlstate is None or original.sqlstate.startswith(_SHUTDOWN_SQLSTATES)


def is_of_no_primary(error: BaseException) -> bool:
    """Whether what was the primary is not any more."""
    return _sqlstate(error) == _READ_ONLY_SQLSTATE


def is_worth_retrying(error: BaseException) -> bool:
    """Whether the transaction was undone for what may well be over when it is run again."""
    is_other = is_of_no_primary(error) or isinstance(_original(error), apsw.BusyError)
    return is_other or _sqlstate(error) in _RETRIED_SQLSTATES


def said(error: BaseException) -> str:
    """What the database says, on one line and without a full stop."""
    return " ".join(str(_original(error)).split()).rstrip(".?")


def _original(error: BaseException) -> BaseException | None:
    """The driver's error."""
    return error.orig if isinstance(error, DBAPIError) else error


def _sqlstate(error: BaseException) -> str | None:
    return getattr(_original(error), "sqlstate", None)
