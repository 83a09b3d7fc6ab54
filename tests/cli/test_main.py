"""The program as a whole: what it needs to say how it is used."""

import os
import subprocess
import sys

from typer.testing import CliRunner

from bookbell import __version__
from bookbell.cli.main import app

RUN_ON = {"alembic", "asyncio", "cryptography", "jsonschema", "psycopg", "pycurl", "sqlalchemy", "uvicorn", "uvloop"}
"""What commands run on, and takes long to load."""


def test_the_program_tells_its_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"bookbell {__version__}\n"


def test_help_and_completion_load_nothing_that_commands_run_on() -> None:
    completing = {"_BOOKBELL_COMPLETE": "complete_bash", "COMP_WORDS": "bookbell ser", "COMP_CWORD": "1"}
    for arguments, environment, shown in ((["--help"], {}, "Commands:"), ([], completing, "serve")):
        script = "import sys; from bookbell.cli.main import app; sys.argv[0] = 'bookbell'; app(prog_name='bookbell')"
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", script, *arguments],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert shown in done.stdout
        assert "bookbell.cli.ledger" in loaded
        assert not loaded & RUN_ON
