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
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

from virevents.definition.accepted import DOMAIN, TEST_DOMAIN, Accepted, Draft, fill
from virevents.definition.domain import DomainDefinition
from virevents.definition.tree import Element, parse_tree
from virevents.errors import DefinitionError
from virevents.model import DomainState

__all__ = ["NodeDomain", "parse_definition", "parse_node"]

_Fact = TypeVar("_Fact")


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
    return _finish(*_read_domain(parse_tree(xml), DOMAIN))


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


def _test_domain(element: Element) -> NodeDomain:
    draft, root = _read_domain(element, TEST_DOMAIN)
    return NodeDomain(_finish(draft, root), draft.state)


def _read_domain(root: Element, accepted: Accepted) -> tuple[Draft, Element]:
    if root.tag != "domain":
        root.fail("expected the root element <domain>")
    draft = Draft()
    fill(draft, root, accepted)
    return draft, root


def _finish(draft: Draft, root: Element) -> DomainDefinition:
    """Make the definition; what it refuses is given its line here."""
    memory_kib = _required(draft.memory_kib, root, "memory")
    current_memory_kib = draft.current_memory_kib or memory_kib
    try:
        return DomainDefinition(
            name=_required(draft.name, root, "name"),
            uuid=draft.uuid or str(uuid4()),
            memory_kib=memory_kib,
            # libvirt lowers it, too
            current_memory_kib=min(current_memory_kib, memory_kib),
            vcpus=draft.vcpus,
            domain_type=_required(draft.domain_type, root, "domain@type"),
            os_type=_required(draft.os_type, root, "os/type"),
            arch=draft.arch,
            machine=draft.machine,
            loader=draft.loader,
            emulator=draft.emulator,
            on_poweroff=draft.on_poweroff,
            on_reboot=draft.on_reboot,
            on_crash=draft.on_crash,
        )
    except DefinitionError as error:
        if error.line is not None or error.element is None:
            raise
        line = draft.lines[error.element.partition("@")[0]]
        raise DefinitionError(str(error), element=error.element, line=line) from error


def _required(fact: _Fact | None, root: Element, element: str) -> _Fact:
    if fact is None:
        raise DefinitionError(
            f"<{root.tag}>: expected <{element}> in it, met none", element=element, line=root.line
        )
    return fact
