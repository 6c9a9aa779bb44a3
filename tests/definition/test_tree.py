# SPDX-License-Identifier: LGPL-2.1-or-later
"""Untrusted XML text to a tree."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from virevents.definition.tree import XML_DEPTH_MAX, XML_SIZE_MAX, parse_tree
from virevents.errors import DefinitionError

_LAUGHS = (
    "<!DOCTYPE a [<!ENTITY x 'ha'><!ENTITY y '&x;&x;&x;&x;&x;&x;&x;&x;'>"
    "<!ENTITY z '&y;&y;&y;&y;&y;&y;&y;&y;'>]>\n<a>&z;</a>"
)
_OUTSIDE = "<!DOCTYPE a SYSTEM 'file:///etc/passwd'>\n<a/>"
_PARAMETER = "<!DOCTYPE a [<!ENTITY % x SYSTEM 'http://localhost/'> %x;]><a/>"
_MARKUP = st.lists(
    st.sampled_from(
        [
            "<a>",
            "</a>",
            "<a/>",
            "<b x='1'>",
            "</b>",
            "<!--",
            "-->",
            "<?p q?>",
            "&amp;",
            "&x;",
            "]]>",
        ]
    )
    | st.text(max_size=3)
).map("".join)


def test_elements_know_their_lines() -> None:
    root = parse_tree(
        "<?xml version='1.0'?>\n<!-- a\nb -->\n<a x='1'>\n <b>c&lt;<?p q?>d</b>\n\n<b/></a>"
    )
    assert (root.tag, root.line, dict(root.attributes)) == ("a", 4, {"x": "1"})
    assert [(child.tag, child.line, child.text) for child in root.children] == [
        ("b", 5, "c<d"),
        ("b", 7, ""),
    ]
    assert root.text.split() == []


def test_namespaces_are_part_of_the_tag() -> None:
    root = parse_tree("<a xmlns:n='urn:x'><n:b/></a>")
    assert root.children[0].tag == "{urn:x}b"


def test_bytes_are_read_in_the_encoding_that_they_declare() -> None:
    latin = "<?xml version='1.0' encoding='iso-8859-1'?><a>é</a>"
    assert parse_tree(latin.encode("latin-1")).text == "é"
    assert parse_tree("<a>é</a>".encode()).text == "é"
    assert parse_tree(latin).text == "é"  # text has been decoded, whatever it declares


@given(_MARKUP)
@example("\ud800")
@example("\x00")
@example("")
def test_two_ends(text: str) -> None:
    try:
        root = parse_tree(text)
    except DefinitionError as error:
        assert error.line is None or error.line >= 1  # noqa: PT017  (one of two ends)
    else:
        assert root.tag in {"a", "b"}


@given(
    st.binary()
    | st.sampled_from(["utf-16", "utf-32", "foo", "idna"]).map(
        lambda name: f"<?xml version='1.0' encoding='{name}'?><a/>".encode()
    )
)
def test_two_ends_of_bytes(content: bytes) -> None:
    try:
        parse_tree(content)
    except DefinitionError as error:
        assert error.element is None  # noqa: PT017  (one of two ends)


def test_bounded() -> None:
    padding = " " * (XML_SIZE_MAX - len("<a></a>"))
    assert parse_tree(f"<a>{padding}</a>").text == padding
    with pytest.raises(DefinitionError, match=f"at most {XML_SIZE_MAX} characters, met"):
        parse_tree(f"<a> {padding}</a>")
    deepest = "<a>" * XML_DEPTH_MAX + "</a>" * XML_DEPTH_MAX
    assert parse_tree(deepest).tag == "a"
    with pytest.raises(DefinitionError, match=r"line 2: <b>: .* nested at most 32 deep") as caught:
        parse_tree("<a>" * XML_DEPTH_MAX + "\n<b/>" + "</a>" * XML_DEPTH_MAX)
    assert (caught.value.element, caught.value.line) == ("b", 2)


@pytest.mark.parametrize("text", [_LAUGHS, _OUTSIDE, _PARAMETER, "<!DOCTYPE a>\n<a/>"])
def test_defused(text: str) -> None:
    with pytest.raises(DefinitionError, match="expected XML without document type") as caught:
        parse_tree(text)
    assert caught.value.line == 1


def test_not_well_formed_says_where() -> None:
    with pytest.raises(DefinitionError, match=r"^line 3: no well-formed XML: mismatched tag$"):
        parse_tree("<a>\n<b>\n</a>")


def test_unknown_encoding() -> None:
    with pytest.raises(DefinitionError, match="line 1: XML cannot be decoded: unknown encoding"):
        parse_tree(b"<?xml version='1.0' encoding='foo'?><a/>")
