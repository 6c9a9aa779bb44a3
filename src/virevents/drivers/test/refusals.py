# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the test driver refuses, with the numbers and words of libvirt's.

It stands apart from the operations because it is a list of what they do not do: libvirt's test
driver has none of the flags for starting, saving and dumping, and users' tests meet that here
before they meet it there.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/test_driver/test_refusals.py``:
    as_libvirt    each flag is refused where libvirt's refuses it, with its number and its words
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from virevents.definition import check_name
from virevents.drivers.base import CoreDumpMode, NvramFate, StartMode
from virevents.drivers.test.domain import TestDomain
from virevents.errors import DefinitionError, InvalidArgumentError, StateError
from virevents.sync import assert_held

__all__ = [
    "check_active_locked",
    "check_new_name",
    "invalid",
    "not_in_that_state",
    "refuse_dump_mode",
    "refuse_nvram",
    "refuse_restore_mode",
    "refuse_save_mode",
    "refuse_start_flags",
]

# libvirt's flags: virDomainCreateFlags, virDomainSaveRestoreFlags, virDomainCoreDumpFlags,
# virDomainUndefineFlagsValues.
_START_PAUSED: Final = 0x1
_START_AUTODESTROY: Final = 0x2
_START_FORCE_BOOT: Final = 0x8
_SAVE: Final[Mapping[StartMode, int]] = {
    StartMode.DEFAULT: 0,
    StartMode.RUNNING: 0x2,
    StartMode.PAUSED: 0x4,
}
_DUMP: Final[Mapping[CoreDumpMode, int]] = {CoreDumpMode.LIVE: 0x2, CoreDumpMode.RESET: 0x8}
_NVRAM: Final[Mapping[NvramFate, int]] = {NvramFate.REMOVE: 0x4, NvramFate.KEEP: 0x8}


class _InternalStateError(StateError):
    """A wrong state that libvirt's test driver calls an internal error."""

    code: ClassVar[int] = 1


def not_in_that_state(domain: TestDomain, text: str, required: str) -> StateError:
    """Make the error for a state that libvirt's test driver calls an internal error."""
    return _InternalStateError(
        f"internal error: {text}", state=str(domain.state.state), required=required
    )


def invalid(domain: TestDomain, text: str, required: str) -> StateError:
    """Make the error for an operation that the state does not allow."""
    return StateError(
        f"Requested operation is not valid: {text}",
        state=str(domain.state.state),
        required=required,
    )


def check_active_locked(domain: TestDomain) -> None:
    """Refuse a domain that is off."""
    assert_held(domain.lock)
    if not domain.is_active:
        raise invalid(domain, "domain is not running", "running or paused")


def check_new_name(name: str) -> None:
    """Refuse a name that none may have."""
    if "/" in name:
        raise DefinitionError(f"XML error: name {name} cannot contain '/'")
    try:
        check_name(name)
    except ValueError as error:
        raise InvalidArgumentError(str(error)) from error


def refuse_start_flags(
    function: str, mode: StartMode, *, is_owned: bool, is_boot_forced: bool = False
) -> None:
    """Refuse to start paused (that and a suspend are two events), owned, or by force."""
    paused = _START_PAUSED if mode is StartMode.PAUSED else 0
    owned = _START_AUTODESTROY if is_owned else 0
    _refuse(paused | owned | (_START_FORCE_BOOT if is_boot_forced else 0), function)


def refuse_save_mode(mode: StartMode) -> None:
    """Refuse to say in which state a restore leaves the domain."""
    _refuse(_SAVE[mode], "testDomainSaveFlags")


def refuse_restore_mode(mode: StartMode) -> None:
    """Refuse to restore otherwise than it was saved."""
    _refuse(_SAVE[mode], "testDomainRestoreFlags")


def refuse_dump_mode(mode: CoreDumpMode) -> None:
    """Refuse a dump that goes on or resets."""
    _refuse(_DUMP.get(mode, 0), "testDomainCoreDumpWithFormat")


def refuse_nvram(fate: NvramFate | None) -> None:
    """Refuse a word on firmware's variables, of which there are none."""
    _refuse(0 if fate is None else _NVRAM[fate], "testDomainUndefineFlags")


def _refuse(flags: int, function: str) -> None:
    if flags:
        raise InvalidArgumentError(f"unsupported flags (0x{flags:x}) in function {function}")
