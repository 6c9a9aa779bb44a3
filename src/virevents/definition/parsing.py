# SPDX-License-Identifier: LGPL-2.1-or-later
"""XML text to definitions: one domain, or a whole host of the test driver's.

It stands apart from the table of what is accepted: here is what a document as a whole must have.

Locking:
    None; the functions may be called from any thread. ``parse_node`` calls what it is handed.

Invariants, each with a test of its name in ``tests/definition/test_parsing.py``:
    two_ends     any text ends in a definition or in a ``DefinitionError``
    round_trip   what ``to_xml`` writes is read back equal
    names_it     an error names the element, and its line where it stands in the text
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from virevents.definition.completing import complete
from virevents.definition.domain import DomainDefinition
from virevents.definition.facts import at
from virevents.definition.kinds import Number
from virevents.definition.reading import Draft, make, read
from virevents.definition.tree import Element, parse_tree
from virevents.errors import DefinitionError
from virevents.model import DomainState

__all__ = ["NodeDomain", "parse_definition", "parse_node"]

_RUN_STATE: Final = "{http://libvirt.org/schemas/domain/test/1.0}runstate"


@dataclass(frozen=True, slots=True)
class NodeDomain:
    """A domain of a test driver's file.

    Attributes:
        definition: What it is.
        state: The state in which it begins (``<test:runstate>``); running when not said.
    """

    definition: DomainDefinition
    state: DomainState


def parse_definition(xml: str | bytes) -> DomainDefinition:
    """Read ``<domain>`` XML; a uuid is made up where it states none.

    Args:
        xml: Text, or bytes in the encoding that they declare.

    Raises:
        DefinitionError: It is no XML, too large, or has anything that is not understood; the
            error names the element and its line.
    """
    return _finish(_read_domain(parse_tree(xml), DomainDefinition))


def parse_node(xml: str | bytes, read: Callable[[str], str | bytes]) -> tuple[NodeDomain, ...]:
    """Read the file of a ``test:///path`` URI: ``<node>`` with domains in it.

    A ``<domain>`` is written out there, or names another file (``<domain file="..."/>``).
    ``<cpu>`` and ``<memory>``, which tell about the host, may be there and are not looked into.

    Args:
        xml: The file's content.
        read: Gives the content of a file named in a ``file`` attribute, as written there.

    Raises:
        DefinitionError: As for ``parse_definition``; an error in a named file has the line
            at which this one names it, and tells the file and the line there in its text.
    """
    root = parse_tree(xml)
    if root.tag != "node":
        root.fail("expected the root element <node>")
    for attribute in root.attributes:
        root.fail("unexpected attribute", attribute)
    if root.text.strip():
        root.fail(f"expected elements only, met the text {root.text.strip()[:40]!r}")
    found = []
    for child in root.children:
        if child.tag == "domain":
            found.append(_node_domain(child, read))
        elif child.tag not in {"cpu", "memory"}:
            child.fail("unexpected element in <node>")
    return tuple(found)


def _node_domain(element: Element, read: Callable[[str], str | bytes]) -> NodeDomain:
    path = element.attributes.get("file")
    if path is None:
        return _test_domain(element)
    if len(element.attributes) > 1 or element.children or element.text.strip():
        element.fail("expected nothing beside the attribute 'file'", "file")
    content = read(path)
    try:
        return _test_domain(parse_tree(content))
    except DefinitionError as error:
        raise DefinitionError(
            f"in {path}: {error}", element=error.element, line=element.line
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _TestDomain(DomainDefinition):
    """A domain in a file of the test driver's: a definition, and the state that it begins in."""

    state: int = field(
        default=DomainState.RUNNING.value,
        metadata=at(_RUN_STATE, Number(min(DomainState), max(DomainState)), "its first state"),
    )


def _test_domain(element: Element) -> NodeDomain:
    draft = _read_domain(element, _TestDomain)
    state = draft.facts.pop("state", DomainState.RUNNING)
    assert isinstance(state, int)  # noqa: S101  (the kind read a number)
    draft.cls = DomainDefinition
    return NodeDomain(_finish(draft), DomainState(state))


def _read_domain(root: Element, cls: type[DomainDefinition]) -> Draft:
    if root.tag != "domain":
        root.fail("expected the root element <domain>")
    return read(root, cls)


def _finish(draft: Draft) -> DomainDefinition:
    complete(draft)
    return make(draft, DomainDefinition)
