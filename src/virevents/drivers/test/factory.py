# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the test driver is opened: ``test:///default``, or a file with domains of your own.

It stands apart because it reads a file and builds; the driver only runs.

Immutable.
"""

from pathlib import Path
from typing import Final

from virevents.definition import XML_SIZE_MAX, DomainDefinition, DomainType, NodeDomain, parse_node
from virevents.drivers.base import Driver, DriverContext, DriverFactory
from virevents.drivers.test.driver import TestDriver
from virevents.drivers.uri import ConnectionUri
from virevents.errors import DefinitionError, OpenError
from virevents.model import DomainState, StateAndReason

__all__ = ["TEST"]

DEFAULT_PATH: Final = "/default"

# What ``test:///default`` begins with; libvirt's has these names, numbers and sizes.
_DEFAULT: Final = (
    NodeDomain(
        DomainDefinition(
            name="test",
            uuid="6695eb01-f6a4-8304-79aa-97f2502e193f",
            memory_kib=8_388_608,
            current_memory_kib=2_097_152,
            vcpus=2,
            domain_type=DomainType.TEST,
        ),
        DomainState.RUNNING,
    ),
)


def _resolve(uri: ConnectionUri) -> ConnectionUri:
    uri.refuse_unknown_parameters(())
    if uri.authority:
        raise OpenError(f"{uri}: the test driver has no host: write test:///default")
    if uri.path in {"", "/"}:
        raise OpenError(f"{uri}: expected a path, as in test:///default or test:///PATH/FILE.xml")
    path = uri.path if uri.path == DEFAULT_PATH else str(Path(uri.path).resolve())
    return ConnectionUri("test", "", "", path, ())


def _open(uri: ConnectionUri, context: DriverContext) -> Driver:
    beginnings = _DEFAULT if uri.path == DEFAULT_PATH else _read_file(uri)
    driver = TestDriver(uri, context)
    for one in beginnings:
        # libvirt's test driver knows no reason for the state that a domain begins in, either
        driver.populate(one.definition, StateAndReason.from_numbers(one.state, 0))
    return driver


def _read_file(uri: ConnectionUri) -> tuple[NodeDomain, ...]:
    folder = Path(uri.path).parent
    try:
        return parse_node(_read(Path(uri.path)), lambda name: _read(folder / name))
    except OSError as error:
        raise OpenError(f"{uri}: {error.filename}: {error.strerror}") from error
    except DefinitionError as error:
        raise OpenError(f"{uri}: {error}") from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(XML_SIZE_MAX + 1)


TEST: Final = DriverFactory("test", _resolve, _open)
"""Opens ``test:///default`` and ``test:///PATH/FILE.xml``."""
