# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of the elements that a definition may have, and the walk that obeys it.

It stands apart so that a later element is one more line in ``DOMAIN`` and one converter. What
the table does not name is an error, because a definition that silently lost a part of what its
author wrote would start another guest than the one that was meant.

Immutable, but for drafts, which are confined to one call of a parser.

Invariants, each with a test of its name in ``tests/definition/test_accepted.py``:
    names_the_stranger   what is not in the table is an error with its name and line
    once                 an element that stands twice is an error
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

from virevents.definition.domain import DomainType, LifecycleAction, OSType
from virevents.definition.memory import DEFAULT_UNIT, to_kib
from virevents.definition.tree import Element
from virevents.model import DomainState, canonical_uuid

__all__ = ["DOMAIN", "TEST_DOMAIN", "Accepted", "Draft", "fill"]

_Word = TypeVar("_Word", bound=StrEnum)
_Fact = TypeVar("_Fact")
_DIGITS_MAX: Final = 20  # of 2**64 - 1; Python's own conversion takes quadratic time
_TEST_NAMESPACE: Final = "http://libvirt.org/schemas/domain/test/1.0"


@dataclass(slots=True, eq=False)
class Draft:
    """What was read so far: a definition in the making, and a test domain's state.

    Attributes:
        lines: Where each element began, by its tag; every tag is met once.
    """

    name: str | None = None
    uuid: str | None = None
    memory_kib: int | None = None
    current_memory_kib: int | None = None
    vcpus: int = 1
    domain_type: DomainType | None = None
    os_type: OSType | None = None
    arch: str | None = None
    machine: str | None = None
    loader: str | None = None
    emulator: str | None = None
    on_poweroff: LifecycleAction = LifecycleAction.DESTROY
    on_reboot: LifecycleAction = LifecycleAction.RESTART
    on_crash: LifecycleAction = LifecycleAction.DESTROY
    state: DomainState = DomainState.RUNNING
    lines: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What one element may have, and what becomes of it.

    Attributes:
        convert: Puts the element's text and attributes into the draft; None for an element that
            only holds others.
        attributes: The names of the attributes that it may have.
        children: The elements that it may hold, each at most once.
    """

    convert: Callable[[Draft, Element], None] | None = None
    attributes: frozenset[str] = frozenset()
    children: Mapping[str, "Accepted"] = field(default_factory=dict)


def fill(draft: Draft, element: Element, accepted: Accepted) -> None:
    """Read *element*, and all in it, into *draft*.

    Raises:
        DefinitionError: Something is not accepted, or has a value that is not allowed.
    """
    for attribute in element.attributes:
        if attribute not in accepted.attributes:
            element.fail("unexpected attribute", attribute)
    if accepted.children and element.text.strip():
        element.fail(f"expected elements only, met the text {element.text.strip()[:40]!r}")
    draft.lines[element.tag] = element.line
    if accepted.convert is not None:
        accepted.convert(draft, element)
    met: set[str] = set()
    for child in element.children:
        if child.tag not in accepted.children:
            child.fail(f"unexpected element in <{element.tag}>")
        if child.tag in met:
            child.fail(f"expected once in <{element.tag}>, met again")
        met.add(child.tag)
        fill(draft, child, accepted.children[child.tag])


def _converted(
    element: Element, how: Callable[[str], _Fact], text: str, attribute: str | None = None
) -> _Fact:
    """What *how* makes of *text*; its ValueError becomes the element's failure."""
    try:
        return how(text)
    except ValueError as error:
        element.fail(str(error), attribute)


def _number(text: str) -> int:
    stripped = text.strip()
    if not (stripped.isascii() and stripped.isdigit() and len(stripped) <= _DIGITS_MAX):
        raise ValueError(f"expected a whole number in decimal digits, met {text[:40]!r}")
    return int(stripped)


def _word(kind: type[_Word], element: Element) -> _Word:
    text = element.text.strip()
    if text not in set(kind):
        element.fail(f"expected one of {', '.join(kind)}; met {text[:40]!r}")
    return kind(text)


def _memory(element: Element) -> int:
    number = _converted(element, _number, element.text)
    unit = element.attributes.get("unit") or DEFAULT_UNIT  # libvirt takes unit='' so, too
    return _converted(element, lambda name: to_kib(number, name), unit, "unit")


def _set_type(draft: Draft, element: Element) -> None:
    text = element.attributes.get("type", "")
    if text not in set(DomainType):
        element.fail(f"expected one of {', '.join(DomainType)}; met {text[:40]!r}", "type")
    draft.domain_type = DomainType(text)


def _set_name(draft: Draft, element: Element) -> None:
    draft.name = element.text


def _set_uuid(draft: Draft, element: Element) -> None:
    draft.uuid = _converted(element, canonical_uuid, element.text.strip())


def _set_memory(draft: Draft, element: Element) -> None:
    draft.memory_kib = _memory(element)


def _set_current_memory(draft: Draft, element: Element) -> None:
    draft.current_memory_kib = _memory(element)


def _set_vcpus(draft: Draft, element: Element) -> None:
    draft.vcpus = _converted(element, _number, element.text)


def _set_os_type(draft: Draft, element: Element) -> None:
    draft.os_type = _word(OSType, element)
    draft.arch = element.attributes.get("arch")
    draft.machine = element.attributes.get("machine")


def _set_loader(draft: Draft, element: Element) -> None:
    draft.loader = element.text


def _set_emulator(draft: Draft, element: Element) -> None:
    draft.emulator = element.text


def _set_on_poweroff(draft: Draft, element: Element) -> None:
    draft.on_poweroff = _word(LifecycleAction, element)


def _set_on_reboot(draft: Draft, element: Element) -> None:
    draft.on_reboot = _word(LifecycleAction, element)


def _set_on_crash(draft: Draft, element: Element) -> None:
    draft.on_crash = _word(LifecycleAction, element)


def _set_state(draft: Draft, element: Element) -> None:
    draft.state = _converted(element, lambda text: DomainState(_number(text)), element.text)


_OS: Final = Accepted(
    children={
        "type": Accepted(convert=_set_os_type, attributes=frozenset({"arch", "machine"})),
        "loader": Accepted(convert=_set_loader),
    }
)
_DEVICES: Final = Accepted(children={"emulator": Accepted(convert=_set_emulator)})

DOMAIN: Final = Accepted(
    convert=_set_type,
    # A running domain's XML shows its id; it is no part of the definition.
    attributes=frozenset({"type", "id"}),
    children={
        "name": Accepted(convert=_set_name),
        "uuid": Accepted(convert=_set_uuid),
        "memory": Accepted(convert=_set_memory, attributes=frozenset({"unit"})),
        "currentMemory": Accepted(convert=_set_current_memory, attributes=frozenset({"unit"})),
        "vcpu": Accepted(convert=_set_vcpus),
        "os": _OS,
        "devices": _DEVICES,
        "on_poweroff": Accepted(convert=_set_on_poweroff),
        "on_reboot": Accepted(convert=_set_on_reboot),
        "on_crash": Accepted(convert=_set_on_crash),
    },
)
"""A domain's definition."""

TEST_DOMAIN: Final = Accepted(
    convert=DOMAIN.convert,
    attributes=DOMAIN.attributes,
    children={
        **DOMAIN.children,
        f"{{{_TEST_NAMESPACE}}}runstate": Accepted(convert=_set_state),
    },
)
"""A domain in a file of the test driver's: a definition, and the state that it begins in."""
