"""What the commands and the service open: keys, folder and database, or one sentence that says why not."""

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from bookbell.config import StartError, read_settings
from bookbell.service import open_parts
from bookbell.vault import VaultError
from world import world_in

KEY = "A" * 43


def test_a_first_start_makes_folder_key_and_schema_and_the_next_one_keeps_them(tmp_path: Path) -> None:
    settings = read_settings({}, data_dir=tmp_path / "new" / "data")
    first = open_parts(settings)
    tokens = (first.operator_token, first.pipeline_token)
    first.database.close()
    assert stat.S_IMODE((settings.data_dir / "master.key").stat().st_mode) == 0o600
    second = open_parts(settings)
    assert (second.operator_token, second.pipeline_token) == tokens
    assert tokens[0] != tokens[1]
    second.database.close()


def test_a_start_with_nothing_to_migrate_loads_neither_alembic_nor_parsers_of_files(tmp_path: Path) -> None:
    settings = read_settings({}, data_dir=tmp_path)
    open_parts(settings).database.close()
    script = (
        "import sys; from bookbell.config import read_settings; from bookbell.service import open_parts;"
        "open_parts(read_settings()).database.close(); print(*{'alembic', 'PIL', 'pypdf'} & set(sys.modules))"
    )
    environment = {**os.environ, "BOOKBELL_DATA_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_tokens_that_are_set_take_the_place_of_derived_ones(tmp_path: Path) -> None:
    parts = open_parts(read_settings({}, data_dir=tmp_path, operator_token="mine", pipeline_token="its"))
    assert (parts.operator_token, parts.pipeline_token) == ("mine", "its")
    parts.database.close()


def test_postgresql_without_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="BOOKBELL_MASTER_KEY is not set"):
        open_parts(read_settings({}, data_dir=tmp_path, database_url="postgresql://nobody@127.0.0.1:1/none"))


@pytest.mark.parametrize(
    "url", ["postgresql://nobody:hunter2@127.0.0.1:1/none", "postgres://127.0.0.1:many/none", "sqlite:////dev/null/x"]
)
def test_a_database_that_cannot_be_opened_is_one_sentence(tmp_path: Path, url: str) -> None:
    with pytest.raises(StartError, match=r"database") as caught:
        open_parts(read_settings({}, data_dir=tmp_path, database_url=url, master_key=KEY))
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "bookbell.db").write_bytes(b"my diary " * 100)
    with pytest.raises(StartError, match="file is not a database"):
        open_parts(read_settings({}, data_dir=tmp_path))
    assert (tmp_path / "bookbell.db").read_bytes() == b"my diary " * 100


def test_a_database_of_another_version_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    settings = read_settings({}, data_dir=tmp_path, database_url=sqlite_url)
    parts = open_parts(settings)
    with parts.database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999_from_the_future'"))
    parts.database.close()
    with pytest.raises(StartError, match="another version of bookbell"):
        open_parts(settings)


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(StartError, match="cannot be used: File exists"):
        open_parts(read_settings({}, data_dir=tmp_path / "taken"))


def test_a_master_key_of_the_wrong_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match=r"^BOOKBELL_MASTER_KEY: .* 43 characters"):
        open_parts(read_settings({}, data_dir=tmp_path, master_key="short"))
    (tmp_path / "master.key").write_text("short\n")
    with pytest.raises(VaultError, match=r"master\.key: .* 43 characters"):
        open_parts(read_settings({}, data_dir=tmp_path))


def test_a_lost_key_is_not_replaced_where_something_is_sealed_under_it(tmp_path: Path) -> None:
    settings = read_settings({}, data_dir=tmp_path)
    opened = open_parts(settings)
    world = world_in(opened.database)
    world.webhook(world.account(), "DOC_VERIFIED")
    opened.database.close()
    kept = (tmp_path / "master.key").read_text()
    (tmp_path / "master.key").unlink()
    for _ in range(2):
        with pytest.raises(StartError, match="Put the file back"):
            open_parts(settings)
    (tmp_path / "master.key").write_text(kept)
    open_parts(settings).database.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "bookbell.db").write_text("no database at all")
    with pytest.raises(StartError, match=r"bookbell\.db\)"):
        open_parts(read_settings({}, data_dir=tmp_path))


def test_a_new_data_folder_is_its_owners_alone(tmp_path: Path) -> None:
    open_parts(read_settings({}, data_dir=tmp_path / "data")).database.close()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_as_many_files_may_be_open_as_the_system_allows() -> None:
    script = (
        "import resource as r; from bookbell.service import allow_open_files; hard = r.getrlimit(r.RLIMIT_NOFILE)[1];"
        "r.setrlimit(r.RLIMIT_NOFILE, (256, hard)); allow_open_files(); print(r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert int(done.stdout) == (65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536))
