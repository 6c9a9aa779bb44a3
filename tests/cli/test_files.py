# SPDX-License-Identifier: LGPL-2.1-or-later
"""Definitions from files and from standard input."""

import io
import sys
from pathlib import Path

import pytest

from virevents.cli.ends import Fail
from virevents.cli.files import read_xml


def test_a_file_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "web.xml"
    file.write_text("<domain\u00e9/>", encoding="utf-8")
    assert read_xml(file) == "<domain\u00e9/>"
    monkeypatch.setattr(sys, "stdin", io.StringIO("<domain/>"))
    assert read_xml(Path("-")) == "<domain/>"


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff")
    for name in ("nix", "bytes"):
        with pytest.raises(Fail, match=f"cannot read {tmp_path / name}: "):
            read_xml(tmp_path / name)
