# SPDX-License-Identifier: LGPL-2.1-or-later
"""Elements of other programs (``<metadata>``): kept as they are, understood by their owners only.

They stand apart because nothing here may look into them, yet what is kept must be harmless and
must come out the same however often it is written and read. So each is kept in one form: its
prefixes are declared at its top, its attributes are in order, and comments are gone.

Immutable.

Invariants, each with a test of its name in ``tests/definition/test_opaque.py``:
    one_form     what was written is read back equal, whatever prefixes and quotes it came with
    namespaced   each belongs to a program: an element without a namespace is refused
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final
from xml.sax.saxutils import escape

from virevents.definition.tree import Element, parse_tree
from virevents.errors import DefinitionError

__all__ = ["OPAQUE_MAX", "Opaque"]

OPAQUE_MAX: Final = 64 * 1024
"""The most characters of all metadata of a domain."""

_XML: Final = "http://www.w3.org/XML/1998/namespace"  # its prefix is declared by XML itself
_QUOTED: Final = {'"': "&quot;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"}


@dataclass(frozen=True, slots=True)
class Opaque:
    """The kind of a value that is a tuple of foreign elements, each as XML in its one form."""

    says: str = "elements with a namespace, one of each"

    def read_element(self, element: Element, prefixes: Mapping[str, str]) -> tuple[str, ...]:
        """The elements in *element*; *prefixes* are those declared around it.

        Raises:
            ValueError: One has no namespace, or they are too many or too large.
        """
        if element.text.strip():
            raise ValueError("expected elements only, met text")
        around = {**prefixes, **element.prefixes}
        found = tuple(_one_form(child, around) for child in element.children)
        self._check_all(found, [child.tag for child in element.children])
        return found

    def check(self, value: object) -> None:
        """It is a tuple of such elements, each in its one form."""
        if not isinstance(value, tuple):
            raise ValueError(f"expected a tuple of XML texts, met {value!r}")  # noqa: TRY004
        tags = []
        for each in value:
            if not isinstance(each, str):
                raise ValueError(f"expected XML text, met {each!r}")  # noqa: TRY004
            try:
                element = parse_tree(each)
            except DefinitionError as error:
                raise ValueError(str(error)) from error
            if _one_form(element, {}) != each:
                raise ValueError(f"expected XML as it is written here, met {each[:40]!r}")
            tags.append(element.tag)
        self._check_all(value, tags)

    def _check_all(self, texts: tuple[str, ...], tags: list[str]) -> None:
        if sum(map(len, texts)) > OPAQUE_MAX:
            raise ValueError(f"expected at most {OPAQUE_MAX} characters in all, met more")
        namespaces = [tag[1:].partition("}")[0] if tag.startswith("{") else "" for tag in tags]
        if not all(namespaces):
            raise ValueError("expected elements with a namespace, met one without")
        if len(set(namespaces)) < len(namespaces):
            raise ValueError("expected one element of each namespace, met two")

    def read(self, text: str) -> object:
        """Text alone is no foreign element."""
        raise ValueError(f"expected elements, met {text[:40]!r}")

    def write(self, value: object) -> str:
        """The elements, one after the other."""
        return "\n".join(value) if isinstance(value, tuple) else ""


def _one_form(top: Element, around: Mapping[str, str]) -> str:
    chosen = _choose_prefixes(top, around)
    declared = {f"xmlns:{prefix}": uri for uri, prefix in chosen.items() if uri != _XML}
    return "".join(_written(top, chosen, declared))


def _choose_prefixes(top: Element, around: Mapping[str, str]) -> Mapping[str, str]:
    """A prefix for each namespace in *top*: its author's where it is free."""
    wanted = {uri: prefix for prefix, uri in around.items() if prefix}
    chosen: dict[str, str] = {_XML: "xml"}
    taken = {"xml"}
    numbers = count()
    waiting = [top]
    while waiting:
        element = waiting.pop()
        waiting += reversed(element.children)
        wanted.update({uri: prefix for prefix, uri in element.prefixes.items() if prefix})
        for name in (element.tag, *sorted(element.attributes)):
            uri = name[1:].partition("}")[0] if name.startswith("{") else ""
            if uri and uri not in chosen:
                prefix = wanted.get(uri, "")
                while not prefix or prefix in taken:
                    prefix = f"ns{next(numbers)}"
                taken.add(prefix)
                chosen[uri] = prefix
    return chosen


def _written(
    element: Element, chosen: Mapping[str, str], declared: Mapping[str, str]
) -> Iterator[str]:
    tag = _prefixed(element.tag, chosen)
    attributes = {_prefixed(name, chosen): text for name, text in element.attributes.items()}
    yield f"<{tag}"
    for name, text in (*sorted(declared.items()), *sorted(attributes.items())):
        yield f' {name}="{escape(text, _QUOTED)}"'
    if not element.content:
        yield "/>"
        return
    yield ">"
    for each in element.content:
        if isinstance(each, str):
            yield escape(each, {"\r": "&#13;"})
        else:
            yield from _written(each, chosen, {})
    yield f"</{tag}>"


def _prefixed(name: str, chosen: Mapping[str, str]) -> str:
    if not name.startswith("{"):
        return name
    uri, _, local = name[1:].partition("}")
    return f"{chosen[uri]}:{local}"
