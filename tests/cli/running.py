# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ways to run the program: in this process, and as one of its own with signals and pipes."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import pytest

import virevents
from virevents.cli import main

__all__ = ["PATIENCE", "TEST_URI", "XML", "Done", "busy_domain", "program", "run"]

TEST_URI: Final = "test:///default"
XML: Final = (
    "<domain type='test'><name>web</name><memory>1024</memory><os><type>hvm</type></os></domain>"
)
PATIENCE: Final = 30.0  # seconds; only a failing test uses them

# A program like `virevents`, but its test domain is busy: someone must make the events.
_BUSY: Final = """
import sys, threading
import virevents
from virevents.cli import main

connection = virevents.open("test:///default")
domain = connection.lookup("test")

def be_busy():
    try:
        while True:
            with connection.expect(domain, "suspended", timeout=20):
                domain.suspend()
            domain.resume()
    except virevents.VireventsError:
        pass  # the program is at its end

threading.Thread(target=be_busy, daemon=True).start()
status = main()
connection.close()
sys.exit(status)
"""


@dataclass(frozen=True)
class Done:
    """How a run ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Done:
    """Run the program in this process."""
    capsys.readouterr()
    status = main(arguments)
    out, err = capsys.readouterr()
    return Done(status, out, err)


@contextmanager
def program(
    *arguments: str,
    is_busy: bool = False,
    stdout: int = subprocess.PIPE,
    environment: Mapping[str, str] | None = None,
    ignores_sigint: bool = False,
) -> Iterator[subprocess.Popen[str]]:
    """Run the program as a process of its own, and end it with the block."""
    before = ("-c", _BUSY) if is_busy else ("-m", "virevents")
    shell = ("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh") if ignores_sigint else ()
    with subprocess.Popen(
        [*shell, sys.executable, "-W", "error", *before, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def busy_domain(uri: str = TEST_URI, name: str = "test") -> Iterator[virevents.Domain]:
    """Have a thread suspend and resume a domain for the length of the block."""
    over = threading.Event()
    with virevents.open(uri) as connection:
        domain = connection.lookup(name)

        def be_busy() -> None:
            while not over.is_set():
                with connection.expect(domain, "suspended", timeout=PATIENCE):
                    domain.suspend()
                domain.resume()

        thread = threading.Thread(target=be_busy)
        thread.start()
        try:
            yield domain
        finally:
            over.set()
            thread.join(PATIENCE)
