# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Birth``: what a parent process opened is refused in its forked child."""

import os
import socket
import warnings
from collections.abc import Callable
from pathlib import Path
from weakref import WeakSet

import pytest

from virevents.errors import ForkedError
from virevents.sync import Birth, after_fork_in_child, fork, keep_from_children


def in_child(check: Callable[[], bool]) -> bool:
    """Whether *check* is true in a forked child."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pytest has threads, from 3.12 told
        child = os.fork()
    if child == 0:
        try:
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def is_refused(birth: Birth) -> bool:
    try:
        birth.check("connection to test:///default")
    except ForkedError as error:
        return "connection to test:///default was opened before a fork" in str(error)
    return False


def test_child_is_refused() -> None:
    birth = Birth()
    assert in_child(lambda: birth.is_foreign and is_refused(birth))
    assert not birth.is_foreign
    birth.check("this")


def test_what_the_child_made_is_its_own() -> None:
    assert in_child(lambda: not Birth().is_foreign and not is_refused(Birth()))


def test_a_grandchild_is_refused_as_well() -> None:
    assert in_child(lambda: _grandchild_refuses(Birth()))


def _grandchild_refuses(birth: Birth) -> bool:
    return in_child(lambda: birth.is_foreign) and not birth.is_foreign


def test_each_fork_is_counted_in_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[Callable[[], None]] = []
    monkeypatch.setattr(
        os, "register_at_fork", lambda *, after_in_child: registered.append(after_in_child)
    )
    after_fork_in_child(test_child_is_refused)
    assert registered == [test_child_is_refused]


def test_where_there_is_no_fork_nothing_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "register_at_fork")
    after_fork_in_child(test_child_is_refused)


def test_a_counted_fork_makes_everything_older_foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    # The same as in a child, where coverage does not see it.
    from virevents.sync import fork

    monkeypatch.setattr(fork, "_generation", fork._generation)
    birth = Birth()
    fork._count_fork()
    assert birth.is_foreign
    assert is_refused(birth)


def test_child_has_none(tmp_path: Path) -> None:
    """Neither the lock nor the connection, but something under their numbers."""
    ours, theirs = socket.socketpair()
    closed = (tmp_path / "closed").open("wb")
    with ours, theirs, (tmp_path / "file").open("wb") as file:
        kept = (ours, file, closed)
        for holder in kept:
            keep_from_children(holder)
        closed.close()

        def has_none() -> bool:
            blank = Path(os.devnull).stat()
            return all(os.fstat(end.fileno()) == blank for end in (ours, file)) and (
                os.fstat(theirs.fileno()) != blank
            )

        assert in_child(has_none)
        ours.sendall(b"x")
        assert theirs.recv(1) == b"x"


def test_child_has_all_of_what_is_not_there_any_more() -> None:
    """A number that was kept from children is anybody's once it was closed."""
    ours, theirs = socket.socketpair()
    keep_from_children(ours)
    number = ours.fileno()
    ours.close()
    theirs.close()
    again = os.open("/", os.O_RDONLY)
    os.dup2(again, number)
    assert in_child(lambda: os.fstat(number).st_ino == Path("/").stat().st_ino)
    os.close(again)
    if number != again:
        os.close(number)


def test_what_is_kept_is_blank_wherever_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a child does first, done here, where it can be looked at."""
    monkeypatch.setattr(fork, "_kept", WeakSet[fork.HasDescriptor]())
    fork._blank_kept()
    ours, theirs = socket.socketpair()
    closed = (tmp_path / "closed").open("wb")
    with ours, theirs:
        for holder in (ours, closed):
            keep_from_children(holder)
        closed.close()
        fork._blank_kept()
        assert os.fstat(ours.fileno()) == Path(os.devnull).stat()
        assert theirs.recv(1) == b""
