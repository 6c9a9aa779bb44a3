# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a definition must have and its author may leave out, made up once: at define.

It stands apart because it is done between reading and making: numbers that must stay the same
for as long as the domain is defined. Addresses of network cards follow from the uuid, so that
the same XML gives the same card again; indexes of controllers are the next free ones, as
libvirt's. Addresses on buses are not made up: the hypervisor finds free places.

Immutable: a function over drafts.

Invariants, each with a test of its name in ``tests/definition/test_completing.py``:
    same_again   the same XML with a uuid gives the same definition each time
    no_clash     nothing made up equals another of its kind
"""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import count
from typing import Final
from uuid import uuid4

from virevents.definition.controllers import COMPANIONS, ControllerKind, ControllerModel
from virevents.definition.reading import Draft

__all__ = ["complete"]

_PREFIX: Final = "52:54:00"  # QEMU's and libvirt's
_ROOTS: Final = frozenset({ControllerModel.PCI_ROOT, ControllerModel.PCIE_ROOT})


def complete(draft: Draft) -> None:
    """Fill in, in the draft of a domain, what its author left out."""
    uuid = draft.facts.setdefault("uuid", str(uuid4()))
    _number_controllers(_drafts(draft, "controllers"))
    _address_interfaces(_drafts(draft, "interfaces"), str(uuid))


def _drafts(draft: Draft, name: str) -> list[Draft]:
    found = draft.facts.get(name, [])
    assert isinstance(found, list)  # noqa: S101  (parts that may be many are read into a list)
    return found


def _number_controllers(controllers: list[Draft]) -> None:
    taken = {(each.facts.get("kind"), each.facts.get("index")) for each in controllers}
    companion_of: object = None
    # Where the search for a free one goes on: what was taken stays taken.
    free: dict[object, Iterator[int]] = {}
    for each in controllers:
        kind, model = each.facts.get("kind"), each.facts.get("model")
        index = each.facts.get("index")
        if index is None and model in COMPANIONS and companion_of is not None:
            index = companion_of
        if index is None:
            # Bus 0 is the root's, stated or not.
            first = 1 if kind is ControllerKind.PCI and model not in _ROOTS else 0
            numbers = free.setdefault((kind, first), count(first))
            index = next(number for number in numbers if (kind, number) not in taken)
        each.facts["index"] = index
        taken.add((kind, index))
        if model is ControllerModel.ICH9_EHCI1:
            companion_of = index


def _address_interfaces(interfaces: list[Draft], uuid: str) -> None:
    taken = {each.facts.get("mac") for each in interfaces}
    for number, each in enumerate(interfaces):
        attempt = 0
        while "mac" not in each.facts:
            digest = blake2b(f"{uuid} {number} {attempt}".encode(), digest_size=3).digest()
            mac = f"{_PREFIX}:{digest.hex(':')}"
            if mac not in taken:
                each.facts["mac"] = mac
                taken.add(mac)
            attempt += 1
