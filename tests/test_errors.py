# SPDX-License-Identifier: LGPL-2.1-or-later
"""The exceptions: one root, facts as attributes, libvirt's numbers, and the tree as it is drawn."""

import inspect
import re

import pytest

from virevents import errors

CLASSES = [getattr(errors, name) for name in errors.__all__]


def test_the_tree_is_as_drawn() -> None:
    drawn = set(re.findall(r"^ {4}[|+\- ]*(\w+)", errors.__doc__ or "", re.MULTILINE))
    assert drawn == set(errors.__all__)
    defined = [
        c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__
    ]
    assert {c.__name__ for c in defined} == set(errors.__all__)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_one_root_and_a_number_of_libvirts(kind: type[errors.VireventsError]) -> None:
    assert issubclass(kind, errors.VireventsError)
    assert isinstance(kind.code, int)
    assert kind.code > 0


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_whose_fault_it_is_has_one_answer(kind: type[errors.VireventsError]) -> None:
    faults = (errors.InternalError, errors.LocalProtocolError, errors.RemoteProtocolError)
    assert sum(issubclass(kind, fault) for fault in faults) <= 1


def test_facts_are_attributes() -> None:
    order = errors.LockOrderError("rule", wanted="this at a:1", held="that at b:2")
    assert (order.wanted, order.held) == ("this at a:1", "that at b:2")
    assert str(order) == "rule: wanted this at a:1; held that at b:2"
    state = errors.StateError("no", state="running", required="shutoff")
    assert (state.state, state.required) == ("running", "shutoff")
    monitor = errors.MonitorError("cont", "GenericError", "no such thing")
    assert (monitor.command, monitor.error_class, monitor.description) == (
        "cont",
        "GenericError",
        "no such thing",
    )
    assert str(monitor) == "monitor command 'cont': no such thing"
    assert str(errors.MonitorError("", "", "gone")) == "monitor: gone"


def test_a_definition_error_names_element_and_line() -> None:
    named = errors.DefinitionError("no", element="memory", line=3)
    assert (str(named), named.element, named.line) == ("line 3: no", "memory", 3)
    bare = errors.DefinitionError("no")
    assert (str(bare), bare.element, bare.line) == ("no", None, None)


def test_python_may_catch_them_by_its_own_names() -> None:
    assert issubclass(errors.InvalidArgumentError, ValueError)
    assert issubclass(errors.OperationTimeoutError, TimeoutError)
    assert issubclass(errors.ExpectTimeout, errors.OperationTimeoutError)
