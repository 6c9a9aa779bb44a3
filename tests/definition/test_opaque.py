# SPDX-License-Identifier: LGPL-2.1-or-later
"""Elements of other programs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.definition.samples import LEAST, least_xml
from tests.definition.strategies import values
from virevents.definition import parse_definition, to_xml
from virevents.definition.opaque import OPAQUE_MAX, Opaque
from virevents.definition.tree import parse_tree
from virevents.errors import DefinitionError


def _kept(xml: str) -> tuple[str, ...]:
    return Opaque().read_element(parse_tree(f"<metadata>{xml}</metadata>"), {})


@given(data=st.data())
def test_one_form(data: st.DataObject) -> None:
    value = data.draw(values(Opaque()))
    Opaque().check(value)
    assert _kept(Opaque().write(value)) == value


@pytest.mark.parametrize(
    ("xml", "kept"),
    [
        ("<a:b xmlns:a='urn:a'/>", '<a:b xmlns:a="urn:a"/>'),
        ("<b xmlns='urn:a'><c/></b>", '<ns0:b xmlns:ns0="urn:a"><ns0:c/></ns0:b>'),
        (
            "<a:b xmlns:a='urn:a' z='1' a:y='2'><!-- x --><c> 1 <d/>2</c></a:b>",
            '<a:b xmlns:a="urn:a" a:y="2" z="1"><c> 1 <d/>2</c></a:b>',
        ),
        (
            "<a:b xmlns:a='urn:a'><a:c xmlns:a='urn:other'/></a:b>",
            '<a:b xmlns:a="urn:a" xmlns:ns0="urn:other"><ns0:c/></a:b>',
        ),
        (
            "<a:b xmlns:a='urn:a' xml:lang='de' c='&lt;&#10;&quot;'>&amp;&#13;</a:b>",
            '<a:b xmlns:a="urn:a" c="&lt;&#10;&quot;" xml:lang="de">&amp;&#13;</a:b>',
        ),
        (
            "<ns0:b xmlns:ns0='urn:a'><c xmlns='urn:c' xmlns:d='urn:d' d:e=''/></ns0:b>",
            '<ns0:b xmlns:d="urn:d" xmlns:ns0="urn:a" xmlns:ns1="urn:c"><ns1:c d:e=""/></ns0:b>',
        ),
    ],
)
def test_what_is_kept(xml: str, kept: str) -> None:
    assert _kept(xml) == (kept,)
    Opaque().check((kept,))
    assert _kept(kept) == (kept,)


def test_prefixes_from_around_it() -> None:
    xml = least_xml(more="<metadata><p:x/></metadata>").replace(
        "<domain ", "<domain xmlns:p='urn:p' "
    )
    definition = parse_definition(xml)
    assert definition.metadata == ('<p:x xmlns:p="urn:p"/>',)
    assert '  <metadata>\n    <p:x xmlns:p="urn:p"/>\n  </metadata>\n' in to_xml(definition)


@pytest.mark.parametrize("xml", ["<a/>", "<a xmlns=''/>"])
def test_namespaced(xml: str) -> None:
    with pytest.raises(ValueError, match="with a namespace, met one without"):
        _kept(xml)


def test_what_cannot_be_kept() -> None:
    one = "<a:b xmlns:a='urn:a'/>"
    with pytest.raises(ValueError, match="one element of each namespace, met two"):
        _kept(one + one)
    with pytest.raises(ValueError, match="elements only, met text"):
        _kept(one + "text")
    with pytest.raises(ValueError, match=f"at most {OPAQUE_MAX} characters in all"):
        _kept(f"<a:b xmlns:a='urn:a'>{'x' * OPAQUE_MAX}</a:b>")
    with pytest.raises(ValueError, match="expected elements, met 'x'"):
        Opaque().read("x")


@pytest.mark.parametrize(
    "wrong",
    ["<a/>", ("<a",), ("<a:b xmlns:a='urn:a'/>",), (1,), ("<a/>",), ('<a:b xmlns:a="urn:a" />',)],
)
def test_only_the_one_form_is_allowed(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"expected|no well-formed"):
        Opaque().check(wrong)


def test_metadata_is_a_fact_like_others() -> None:
    with pytest.raises(DefinitionError, match="<metadata>: expected XML as it is written here"):
        replace(LEAST, metadata=("<a:b xmlns:a='urn:a'/>",))
    with pytest.raises(DefinitionError, match=r"line 7: <metadata>: expected elements with"):
        parse_definition(least_xml(more="\n<metadata><a/></metadata>"))
