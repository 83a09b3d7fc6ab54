"""The service starts, says when it is ready, and stops in order."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from processes import Service, fill_book, running, sign_up, until, verify_all
from receivers import RawReceiver, Receiver, hang


def test_it_says_when_it_lives_and_is_ready(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with running(service):
        for path, status in (("live", "live"), ("ready", "ready")):
            with urllib.request.urlopen(f"{service.url}/health/{path}") as answer:
                assert json.loads(answer.read()) == {"status": status}
        with urllib.request.urlopen(f"{service.url}/metrics") as answer:
            assert b"bookbell_lanes_owned" in answer.read()
        assert service.stop() == 0


def test_sigterm_lets_requests_in_flight_finish_and_releases_the_rest(tmp_path: Path) -> None:
    service = Service(tmp_path, shutdown_ms="3000")
    with running(service), RawReceiver(hang) as hanging, Receiver() as receiver:
        bad, good = sign_up(service.url, "PennyMae", "bad", "good")
        bad.register(hanging.url, "DOC_VERIFIED", timeout_ms_total=60_000)
        good.register(receiver.url, "DOC_VERIFIED")
        verify_all(service.url, [*fill_book(bad, "bad", 3), *fill_book(good, "good", 50)])
        until("requests in flight", lambda: hanging.connection_count == 3)
        assert service.stop() == 0
        assert '"unfinished": 3' in service.log() or "unfinished=3" in service.log()
        service.start()
        until("all of the good ones", lambda: len(set(receiver.ids())) == 50)
        until("the released ones, at once", lambda: hanging.connection_count >= 6)
        assert len(receiver.ids()) == 50
        assert {each["attempt_count"] for each in bad.deliveries()} == {0}


def test_requests_of_clients_and_to_receivers_have_the_same_time_to_end(tmp_path: Path) -> None:
    service = Service(tmp_path, shutdown_ms="1500")
    with running(service), RawReceiver(hang) as hanging:
        (client,) = sign_up(service.url, "PennyMae", "one")
        client.register(hanging.url, "DOC_VERIFIED", timeout_ms_total=60_000)
        verify_all(service.url, fill_book(client, "book", 1))
        until("the request in flight", lambda: hanging.connection_count == 1)
        with socket.create_connection(("127.0.0.1", service.port)) as slow:
            slow.sendall(
                b"POST /oauth/token HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
                b"Content-Length: 99\r\n\r\n{"
            )
            slow.sendall(b'"grant_type"')
            assert service.stop() == 0
        log = service.log()
        assert log.index("service_stopping") < log.index("graceful shutdown exceeded") < log.index("unfinished")


def test_what_an_upload_cut_off_by_a_crash_has_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    left = tmp_path / "data" / "blobs" / "ab" / "cut-off.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"%PDF-")
    os.utime(left, (1, 1))
    with running(Service(tmp_path)):
        assert not left.exists()


def test_an_idle_service_stops_at_once_on_ctrl_c(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with running(service):
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(20) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"BOOKBELL_COLOUR": "red"}, "BOOKBELL_COLOUR is no setting"),
        ({"BOOKBELL_PORT": "many"}, "BOOKBELL_PORT='many' cannot be read"),
        ({"BOOKBELL_MASTER_KEY": "short"}, "must be 43 characters"),
        ({"BOOKBELL_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "BOOKBELL_MASTER_KEY is not set"),
        ({"BOOKBELL_PORT": "1", "BOOKBELL_HOST": "192.0.2.1"}, "Cannot listen on 192.0.2.1:1"),
    ],
)
def test_a_start_that_cannot_work_says_why_in_one_line(tmp_path: Path, settings: dict[str, str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bookbell.cli.main", "serve"],
        env={"BOOKBELL_DATA_DIR": str(tmp_path), **settings},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unmigrated_postgresql_is_refused_until_it_is_upgraded(postgresql_server: str, tmp_path: Path) -> None:
    from sqlalchemy import create_engine, text
    from sqlalchemy.engine import make_url

    admin = create_engine(
        make_url(postgresql_server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE fresh"))
    admin.dispose()
    url = make_url(postgresql_server).set(database="fresh").render_as_string(hide_password=False)
    environment = {
        "BOOKBELL_DATA_DIR": str(tmp_path),
        "BOOKBELL_DATABASE_URL": url,
        "BOOKBELL_MASTER_KEY": "A" * 43,
        "BOOKBELL_PORT": "0",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bookbell.cli.main", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)

    refused = run("serve")
    assert refused.returncode == 2
    assert "bookbell db upgrade" in refused.stderr
    assert run("db", "upgrade").returncode == 0
    assert run("organization", "create", "PennyMae").returncode == 0


def test_a_wrong_master_key_sends_nothing_and_says_so(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with running(service), Receiver() as receiver:
        (client,) = sign_up(service.url, "PennyMae", "one")
        client.register(receiver.url, "DOC_VERIFIED")
        uuids = fill_book(client, "book", 1)
        service.kill()
        service.environment["BOOKBELL_MASTER_KEY"] = "B" * 43
        service.start()
        verify_all(service.url, uuids)
        until("the failed attempt in the log", lambda: "cannot be opened with this master key" in service.log())
        assert receiver.requests == []
