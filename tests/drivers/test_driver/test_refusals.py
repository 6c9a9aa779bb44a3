# SPDX-License-Identifier: LGPL-2.1-or-later
"""The flags that the test driver does not have, refused as libvirt 9.0's refuses them."""

from collections.abc import Callable, Iterator
from typing import Final

import pytest

import virevents
from virevents.drivers import Capability, CoreDumpMode, Driver, NvramFate, SleepMode, StartMode
from virevents.errors import InvalidArgumentError, UnsupportedError

_UUID: Final = "6695eb01-f6a4-8304-79aa-97f2502e193f"
_XML: Final = (
    "<domain type='test'><name>web1</name><memory>1024</memory><os><type>hvm</type></os></domain>"
)


@pytest.fixture
def driver() -> Iterator[Driver]:
    with virevents.open("test:///default") as conn:
        yield conn.reading()


# What libvirt-python says to the same call with the flag, seen live in ``tests/differential``.
_REFUSED: Final[dict[str, Callable[[Driver], object]]] = {
    "0x1 testDomainCreateXML": lambda driver: driver.create(_XML, StartMode.PAUSED),
    "0x2 testDomainCreateXML": lambda driver: driver.create(_XML, autodestroy_owner=driver),
    "0x1 testDomainCreateWithFlags": lambda driver: driver.start(_UUID, StartMode.PAUSED),
    "0xb testDomainCreateWithFlags": lambda driver: driver.start(
        _UUID, StartMode.PAUSED, force_boot=True, autodestroy_owner=driver
    ),
    "0x2 testDomainSaveFlags": lambda driver: driver.save(_UUID, "/image", StartMode.RUNNING),
    "0x4 testDomainSaveFlags": lambda driver: driver.save(_UUID, "/image", StartMode.PAUSED),
    "0x2 testDomainRestoreFlags": lambda driver: driver.restore("/image", StartMode.RUNNING),
    "0x4 testDomainRestoreFlags": lambda driver: driver.restore("/image", StartMode.PAUSED),
    "0x2 testDomainCoreDumpWithFormat": lambda driver: driver.core_dump(
        _UUID, "/core", CoreDumpMode.LIVE
    ),
    "0x8 testDomainCoreDumpWithFormat": lambda driver: driver.core_dump(
        _UUID, "/core", CoreDumpMode.RESET
    ),
    "0x4 testDomainUndefineFlags": lambda driver: driver.undefine(_UUID, nvram=NvramFate.REMOVE),
    "0x8 testDomainUndefineFlags": lambda driver: driver.undefine(
        _UUID, managed_save=True, nvram=NvramFate.KEEP
    ),
}


@pytest.mark.parametrize("said", _REFUSED)
def test_as_libvirt(driver: Driver, said: str) -> None:
    flags, function = said.split()
    with pytest.raises(InvalidArgumentError) as refused:
        _REFUSED[said](driver)
    assert str(refused.value) == f"unsupported flags ({flags}) in function {function}"
    assert refused.value.code == 8
    assert [str(word) for word in driver.domain_state(_UUID)] == ["running", "unknown"]


def test_what_libvirts_has_not_is_no_capability(driver: Driver) -> None:
    missing = set(Capability) - driver.capabilities
    assert missing == {Capability.PM_SUSPEND, Capability.PM_WAKEUP}
    calls: list[Callable[[], object]] = [
        lambda: driver.pm_suspend(_UUID, SleepMode.MEMORY),
        lambda: driver.pm_wakeup(_UUID),
    ]
    for call in calls:
        with pytest.raises(UnsupportedError) as refused:
            call()
        assert refused.value.code == 3
