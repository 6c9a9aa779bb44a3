# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a domain is defined as: the facts that its XML states, checked.

It stands apart from the XML because drivers work with the facts only; a definition that exists
is one that can be written as XML and read back.

Immutable.

Invariants, each with a test of its name in ``tests/definition/test_domain.py``:
    always_valid   no ``DomainDefinition`` can be made, or replaced, with a fact that is not allowed
    defaults       what was left out has libvirt's default
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from virevents.errors import DefinitionError
from virevents.model import canonical_uuid

__all__ = [
    "MEMORY_KIB_MAX",
    "VCPUS_MAX",
    "DomainDefinition",
    "DomainType",
    "LifecycleAction",
    "OSType",
    "check_name",
]

MEMORY_KIB_MAX: Final = (2**63 - 1) // 1024
"""As many bytes as libvirt's wire and headers can count."""

VCPUS_MAX: Final = 2**16 - 1
"""As many as libvirt's 16-bit count of processors can say."""

# What XML 1.0 cannot hold, and control characters, which no name, path or log line should.
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# Such a word can stand in any option of a hypervisor without ending it (no comma, no blank).
_WORD: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", re.ASCII)


class DomainType(StrEnum):
    """The hypervisor that a definition is meant for (``<domain type=...>``)."""

    TEST = "test"
    QEMU = "qemu"


class OSType(StrEnum):
    """How the guest is booted (``<os><type>``)."""

    HVM = "hvm"


class LifecycleAction(StrEnum):
    """What is to be done when the guest powers off, reboots or crashes (``<on_poweroff>``...)."""

    DESTROY = "destroy"
    RESTART = "restart"
    RENAME_RESTART = "rename-restart"
    PRESERVE = "preserve"
    COREDUMP_DESTROY = "coredump-destroy"
    COREDUMP_RESTART = "coredump-restart"


_FOR_CRASH_ONLY: Final = frozenset(
    {LifecycleAction.COREDUMP_DESTROY, LifecycleAction.COREDUMP_RESTART}
)


def check_name(name: str) -> str:
    """Give *name* back if a domain may have it.

    It must have a character that is not a blank, none that is a slash or a control character,
    and must not be ``.`` or ``..``: drivers name files after domains.

    Raises:
        ValueError: It may not.
    """
    if not name.strip():
        raise ValueError(f"expected a domain name, met {name!r}")
    if name in {".", ".."} or "/" in name:
        raise ValueError(f"expected a domain name without '/', and not '.' or '..', met {name!r}")
    return _check_text(name)


def _check_text(text: str) -> str:
    if _UNFIT.search(text):
        raise ValueError(f"expected text without control characters, met {text!r}")
    return text


def _check_uuid(uuid: str) -> str:
    if canonical_uuid(uuid) != uuid:
        raise ValueError(f"expected a uuid in lower case with hyphens, met {uuid!r}")
    return uuid


def _check_word(word: str | None) -> str | None:
    if word is not None and not _WORD.fullmatch(word):
        raise ValueError(f"expected a word of letters, digits and '_.+-', met {word!r}")
    return word


def _check_path(path: str | None) -> str | None:
    if path is not None and not path.startswith("/"):
        raise ValueError(f"expected an absolute path, met {path!r}")
    return path if path is None else _check_text(path)


def _check_range(number: int, most: int) -> int:
    if not 1 <= number <= most:
        raise ValueError(f"expected a number from 1 to {most}, met {number}")
    return number


def _check_no_coredump(action: LifecycleAction) -> LifecycleAction:
    if action in _FOR_CRASH_ONLY:
        raise ValueError(f"expected an action other than {action.value!r}, which is for a crash")
    return action


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainDefinition:
    """The facts that define a domain.

    It is a source of identity for events (``LifecycleEvent.from_definition``). To change one,
    use ``dataclasses.replace``: it checks again.

    Attributes:
        name: See ``check_name``.
        uuid: Canonical text.
        memory_kib: The most memory that the guest may have.
        current_memory_kib: What it has at start; never more than *memory_kib*.
        vcpus: How many processors it has.
        domain_type: For which hypervisor.
        os_type: How it is booted.
        arch: Its processor architecture, for example ``x86_64``; None is the driver's choice.
        machine: Its machine type, for example ``pc``; None is the driver's choice.
        loader: The firmware's absolute path; None is the hypervisor's own.
        emulator: The hypervisor program's absolute path; None is the driver's choice.
        on_poweroff: What to do when the guest powers off.
        on_reboot: What to do when the guest reboots.
        on_crash: What to do when the guest crashes.

    Raises:
        DefinitionError: A fact is not allowed; ``element`` is its element in XML.
    """

    name: str
    uuid: str
    memory_kib: int
    current_memory_kib: int
    vcpus: int = 1
    domain_type: DomainType
    os_type: OSType = OSType.HVM
    arch: str | None = None
    machine: str | None = None
    loader: str | None = None
    emulator: str | None = None
    on_poweroff: LifecycleAction = LifecycleAction.DESTROY
    on_reboot: LifecycleAction = LifecycleAction.RESTART
    on_crash: LifecycleAction = LifecycleAction.DESTROY

    def __post_init__(self) -> None:
        """Check each fact."""
        for element, check in _CHECKS.items():
            try:
                check(self)
            except ValueError as error:
                raise DefinitionError(f"<{element}>: {error}", element=element) from error


_CHECKS: Final[Mapping[str, Callable[[DomainDefinition], object]]] = {
    "name": lambda facts: check_name(facts.name),
    "uuid": lambda facts: _check_uuid(facts.uuid),
    "memory": lambda facts: _check_range(facts.memory_kib, MEMORY_KIB_MAX),
    "currentMemory": lambda facts: _check_range(facts.current_memory_kib, facts.memory_kib),
    "vcpu": lambda facts: _check_range(facts.vcpus, VCPUS_MAX),
    "type@arch": lambda facts: _check_word(facts.arch),
    "type@machine": lambda facts: _check_word(facts.machine),
    "loader": lambda facts: _check_path(facts.loader),
    "emulator": lambda facts: _check_path(facts.emulator),
    "on_poweroff": lambda facts: _check_no_coredump(facts.on_poweroff),
    "on_reboot": lambda facts: _check_no_coredump(facts.on_reboot),
}
