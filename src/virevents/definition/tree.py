# SPDX-License-Identifier: LGPL-2.1-or-later
"""Untrusted XML text to a small tree of elements that know their lines.

It stands apart from what the elements mean, because the standard tree forgets line numbers and
every error has to name one. Entities, document types and external references are refused by
``defusedxml``; size and depth are bounded here.

Locking:
    None. A tree belongs to who parsed it.

Invariants, each with a test of its name in ``tests/definition/test_tree.py``:
    two_ends   any text ends in a tree or in a ``DefinitionError``
    bounded    text longer than ``XML_SIZE_MAX`` or deeper than ``XML_DEPTH_MAX`` is refused
    defused    no entity is expanded, no document type is read
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from virevents.errors import DefinitionError, MalformedXmlError

__all__ = ["XML_DEPTH_MAX", "XML_SIZE_MAX", "Element", "parse_tree"]

XML_SIZE_MAX: Final = 1024 * 1024
"""The most characters (or bytes, where it is bytes) of one document."""

XML_DEPTH_MAX: Final = 32
"""The deepest nesting of elements; nothing but metadata nests deeper than six."""


@dataclass(slots=True, eq=False)
class Element:
    """One element as it stood in the text.

    Attributes:
        tag: Its name; ``{namespace}name`` where it has a namespace.
        attributes: By name, likewise.
        line: Where it begins, counted from 1.
        content: What stands in it, in order: elements and pieces of text.
        prefixes: The prefixes of namespaces that it declares.
    """

    tag: str
    attributes: Mapping[str, str]
    line: int
    content: list["Element | str"] = field(default_factory=list)
    prefixes: Mapping[str, str] = field(default_factory=dict)

    @property
    def children(self) -> list["Element"]:
        """The elements in it."""
        return [each for each in self.content if isinstance(each, Element)]

    @property
    def text(self) -> str:
        """All text that stands directly in it."""
        return "".join(each for each in self.content if isinstance(each, str))

    def fail(
        self,
        text: str,
        attribute: str | None = None,
        kind: type[DefinitionError] = DefinitionError,
    ) -> NoReturn:
        """Say that this element, or one attribute of it, is at fault.

        Raises:
            DefinitionError: Always, and of that kind; it names the element, the attribute and
                the line.
        """
        where = self.tag if attribute is None else f"{self.tag}@{attribute}"
        raise kind(f"<{where}>: {text}", element=where, line=self.line)


class _Builder:
    """Receives what the parser meets; confined to one call of ``parse_tree``."""

    def __init__(self) -> None:
        self.root: Element | None = None  # confined to one call of parse_tree
        self.line: Callable[[], int] = lambda: 1  # confined to one call of parse_tree
        self._open: Final[list[Element]] = []
        self._prefixes: dict[str, str] = {}  # confined to one call of parse_tree

    def start_ns(self, prefix: str, uri: str) -> None:
        self._prefixes[prefix] = uri

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        element = Element(tag, attributes, self.line(), prefixes=self._prefixes)
        self._prefixes = {}
        if self._open:
            self._open[-1].content.append(element)
        else:
            self.root = element
        self._open.append(element)
        if len(self._open) > XML_DEPTH_MAX:
            element.fail(f"expected elements nested at most {XML_DEPTH_MAX} deep, met one deeper")

    def data(self, text: str) -> None:
        self._open[-1].content.append(text)

    def end(self, tag: str) -> None:
        del tag  # the parser made sure that it is the innermost one
        self._open.pop()

    def close(self) -> Element | None:
        return self.root


def parse_tree(xml: str | bytes) -> Element:
    """Parse a whole document and give its root.

    Args:
        xml: Text, or bytes in the encoding that they declare (UTF-8 when they declare none).

    Raises:
        DefinitionError: It is too long or too deep, not well-formed, or has a document type.
    """
    if len(xml) > XML_SIZE_MAX:
        raise DefinitionError(f"expected XML of at most {XML_SIZE_MAX} characters, met {len(xml)}")
    builder = _Builder()
    parser = DefusedXMLParser(target=builder, forbid_dtd=True)
    builder.line = lambda: parser.parser.CurrentLineNumber
    try:
        parser.feed(xml)
        parser.close()
    except DefinitionError:
        raise
    except ParseError as error:
        cause = str(error).partition(": line ")[0]
        raise MalformedXmlError(f"no well-formed XML: {cause}", line=error.position[0]) from error
    except DefusedXmlException as error:
        raise DefinitionError(
            "expected XML without document type, met <!DOCTYPE>", line=builder.line()
        ) from error
    except (ValueError, LookupError) as error:  # encodings that lie or that nobody knows
        raise MalformedXmlError(f"XML cannot be decoded: {error}", line=builder.line()) from error
    assert builder.root is not None  # noqa: S101  (a document that was parsed has a root)
    return builder.root
