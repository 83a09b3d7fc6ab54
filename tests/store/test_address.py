"""How PostgreSQL is reached, from what an operator writes."""

import pytest

from bookbell.store.address import parameters
from bookbell.store.database import Database, DatabaseError


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("postgresql://a:b@db1:5433/name", "db1", 5433),
        ("postgres://a@db1/name", "db1", None),
        ("postgresql://a:b@db1,db2:5433/name", "db1,db2", ",5433"),
        ("postgresql://a:b@[::1]:5432,10.0.0.2:5433/name", "::1,10.0.0.2", "5432,5433"),
        ("postgresql://db1,db2/name", "db1,db2", ","),
        ("postgresql://a@/name?host=/run/postgresql", "/run/postgresql", None),
    ],
)
def test_hosts_and_ports_are_found(address: str, host: str, port: object) -> None:
    given = parameters(address, {})
    assert (given["host"], given.get("port"), given["dbname"]) == (host, port, "name")


def test_of_several_hosts_the_one_that_can_be_written_to_is_wanted() -> None:
    assert parameters("postgresql://a@b,c/n", {})["target_session_attrs"] == "read-write"
    assert parameters("postgresql://a@b,c/n?target_session_attrs=any", {})["target_session_attrs"] == "any"
    assert "target_session_attrs" not in parameters("postgresql://a@b/n", {})


def test_a_password_keeps_its_signs() -> None:
    assert parameters("postgresql://a:p%40%2C@b,c/n", {})["password"] == "p@,"


def test_options_of_the_address_are_kept() -> None:
    assert parameters("postgresql://a@b/n?options=-cx%3Dy", {"options": "-c z=1"})["options"] == "-cx=y -c z=1"


@pytest.mark.parametrize("address", ["postgresql://a@b:x,c/n", "postgresql://a@b:x/n", "nonsense"])
def test_what_cannot_be_read_is_refused(address: str) -> None:
    with pytest.raises(DatabaseError, match="cannot be read"):
        Database(address)
