# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connection URIs, in libvirt's form: ``driver[+transport]://[user@][host][:port]/path[?query]``.

They stand apart because both the connection room (which driver?) and the drivers (which path,
which parameters?) read them, and a wrong one must be refused in one voice.

Immutable.

Invariants, each with a test of its name in ``tests/drivers/test_uri.py``:
    round_trip     ``str`` of a parsed URI parses to an equal one
    unknown_named  a parameter that the driver does not know is an error that names it
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from virevents.errors import InvalidArgumentError

__all__ = ["ConnectionUri"]


@dataclass(frozen=True, slots=True)
class ConnectionUri:
    """A connection URI, taken apart.

    Attributes:
        driver: "test", "qemu", "xen".
        transport: "unix", "tcp", "tls", "ssh", or "" for a driver in this process.
        authority: User, host and port as written, or "".
        path: The path, decoded, with its leading slash: "/default", "/embed", "/system".
        parameters: The query, decoded, in its order.
    """

    driver: str
    transport: str
    authority: str
    path: str
    parameters: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take *text* apart.

        Raises:
            InvalidArgumentError: It is no connection URI.
        """
        try:
            parts = urlsplit(text)
            pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError as error:
            raise InvalidArgumentError(f"{text!r} is not a connection URI: {error}") from error
        if not parts.scheme or "://" not in text or parts.fragment:
            raise InvalidArgumentError(
                f"expected a connection URI such as 'test:///default' or 'qemu:///session', "
                f"met {text!r}"
            )
        driver, _, transport = parts.scheme.partition("+")
        return cls(driver, transport, parts.netloc, unquote(parts.path), tuple(pairs))

    def parameter(self, name: str) -> str | None:
        """Return the value of a query parameter, or None when it is not there."""
        return dict(self.parameters).get(name)

    def refuse_unknown_parameters(self, known: Collection[str]) -> None:
        """Refuse every parameter that is not *known*, and every one given twice.

        Raises:
            InvalidArgumentError: Names the first such parameter.
        """
        seen: set[str] = set()
        for name, _ in self.parameters:
            if name not in known:
                raise InvalidArgumentError(
                    f"{self}: unknown URI parameter {name!r}; known here: "
                    f"{', '.join(sorted(known)) or 'none'}"
                )
            if name in seen:
                raise InvalidArgumentError(f"{self}: URI parameter {name!r} is given twice")
            seen.add(name)

    def __str__(self) -> str:
        """Put the URI together again."""
        scheme = f"{self.driver}+{self.transport}" if self.transport else self.driver
        query = "&".join(f"{quote(n, safe='')}={quote(v, safe='/')}" for n, v in self.parameters)
        return f"{scheme}://{self.authority}{quote(self.path)}{'?' + query if query else ''}"
