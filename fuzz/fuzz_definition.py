# SPDX-License-Identifier: LGPL-2.1-or-later
"""The domain XML parser, fuzzed: what an author, a program or an enemy might hand in.

Four kinds of round, by turns:

- *bytes*: recorded XML, cut, repeated and spoilt at any byte, also in other encodings.
- *tree*: recorded XML whose elements and attributes were dropped, repeated, moved, renamed, or
  given values that are at a border or that mean something to a hypervisor's command line.
- *table*: XML drawn from the parser's own tables, so that every element and attribute is met.
- *mass*: one piece repeated until the document is as large as it may be: nothing takes long.

A round ends in a definition or in a ``DefinitionError``, which tells the line. A definition is
written, read again, and equal; the second text is the first; its live form is the same one.
"""

import random
import sys
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Final
from xml.sax.saxutils import quoteattr

sys.path.insert(0, str(Path(__file__).parent.parent))

from fuzz.campaign import run_campaign
from virevents.clock import monotonic
from virevents.definition import (
    XML_SIZE_MAX,
    DomainDefinition,
    LiveFacts,
    aliases,
    parse_definition,
    to_xml,
)
from virevents.definition.facts import Facts, Part, facts_of
from virevents.definition.kinds import Kind, Switch, Words
from virevents.definition.layout import Layout, Slot, inline_parts, layout_of
from virevents.definition.tree import Element, parse_tree
from virevents.errors import DefinitionError

RECORDED: Final = sorted((Path(__file__).parent.parent / "tests/definition/data").glob("*.xml"))
SAMPLES: Final = [path.read_text(encoding="utf-8") for path in RECORDED]
SECONDS_MAX: Final = 30.0  # of one round, on a busy machine; the largest takes about one
TOKENS: Final = [
    *["<", ">", "&", "'", '"', "/>", "</", "<!--", "-->", "<![CDATA[", "]]>", "&amp;", "&x;"],
    *["<!DOCTYPE a [<!ENTITY x 'y'>]>", "<?xml version='1.0'?>", "\x00", "\ufeff", "\ud7ff", "\n"],
    *[
        "0",
        "-1",
        "1e9",
        "xmlns:a='b'",
        " type='pci'",
        "<disk",
        "</domain>",
        "{",
        "}",
        "é",
        "\u2028",
    ],
]
VALUES: Final = [
    *[
        "",
        " ",
        "0",
        "-1",
        "1",
        "255",
        "256",
        "65535",
        "65536",
        "4294967296",
        "9" * 30,
        "0x1f",
        "010",
    ],
    *["yes", "no", "on", "off", "none", "default", "file", "block", "pci", "unix", "vnc", "spice"],
    *["a,b=c", "-S", "--", "/a,readonly=on", "/../../x", "/dev/null", "rel/ative", "a\tb", "a\nb"],
    *["if=none,file=/etc/shadow", "${HOME}", "`id`", "$(id)", "%n", "ua-a", "ua-a,b", "vnet0", "é"],
    *["vda", "vdzzzz", "sda", "52:54:00:00:00:01", "ff:ff:ff:ff:ff:ff", "\u202e", "a" * 70_000],
]
ENCODINGS: Final = ["utf-8", "utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig", "cp037"]
MASSES: Final = [
    "<controller type='usb'/>",
    "<controller type='scsi' model='lsilogic'/>",
    "<interface type='user'/>",
    "<channel type='pty'><target type='virtio' name='a'/></channel>",
    "<input type='tablet'/>",
    "<video><model type='vga'/></video>",
]


def by_bytes(chance: random.Random) -> str | bytes:
    """Recorded XML with a few faults of any kind."""
    text = chance.choice(SAMPLES)
    for _ in range(chance.randint(1, 6)):
        at, size = chance.randrange(len(text) + 1), chance.choice([0, 1, 3, 10, 200])
        put_in = chance.choice([*TOKENS, text[at : at + size] * 2, chance.choice(SAMPLES)[:size]])
        text = text[:at] + put_in + text[at + chance.choice([0, size]) :]
    if chance.random() < 0.7:  # what most authors hand in
        return text
    encoded = text.encode(chance.choice(ENCODINGS), "replace")
    declared = f"<?xml version='1.0' encoding='{chance.choice(ENCODINGS)}'?>".encode()
    return chance.choice([encoded, declared + encoded, encoded[: chance.randrange(len(encoded))]])


def by_tree(chance: random.Random) -> str:
    """Recorded XML whose tree was changed in a few places."""
    root = parse_tree(chance.choice(SAMPLES))
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        element, parent = chance.choice(_family(root))
        chance.choice(SPOILS)(chance, element, parent)
    return _written(root)


def _family(root: Element) -> list[tuple[Element, Element]]:
    found = [(root, root)]
    for element, _ in found:  # it grows while it is gone through
        found += [(child, element) for child in element.children]
    return found


def _spoil_attribute(chance: random.Random, element: Element, parent: Element) -> None:
    del parent
    attributes = dict(element.attributes)
    name = chance.choice([*attributes, *attributes, "type", "model", "name", "index", "x"])
    others = OTHERS.get(name, VALUES)
    if chance.random() < 0.2:  # now and then it is left out
        attributes.pop(name, None)
    else:
        attributes[name] = chance.choice(chance.choice([others, others, VALUES]))
    element.attributes = attributes


def _spoil_text(chance: random.Random, element: Element, parent: Element) -> None:
    del parent
    element.content = [*element.children, chance.choice(VALUES)]


def _drop(chance: random.Random, element: Element, parent: Element) -> None:
    del chance
    if element in parent.content:
        parent.content.remove(element)


def _repeat(chance: random.Random, element: Element, parent: Element) -> None:
    if parent is not element:
        parent.content += [element] * chance.choice([1, 1, 2, 20])


def _rename(chance: random.Random, element: Element, parent: Element) -> None:
    del parent
    names = [each.tag for each, _ in _family(parse_tree(chance.choice(SAMPLES)))]
    element.tag = chance.choice([*names, "x", "a:b"])


def _graft(chance: random.Random, element: Element, parent: Element) -> None:
    del parent
    found = _family(parse_tree(chance.choice(SAMPLES)))
    element.content.append(chance.choice(found)[0])


SPOILS: Final[list[Callable[[random.Random, Element, Element], None]]] = [
    *[_spoil_attribute] * 5,
    *[_drop, _drop, _repeat, _graft, _spoil_text, _rename],
]
OTHERS: Final[dict[str, list[str]]] = {}
for _sample in SAMPLES:
    for _each, _ in _family(parse_tree(_sample)):
        for _name, _text in _each.attributes.items():
            OTHERS.setdefault(_name, []).append(_text)


def _written(element: Element) -> str:
    uri, _, local = element.tag.rpartition("}")
    tag = f"n:{local}" if uri else local
    names = f" xmlns:n={quoteattr(uri[1:])}" if uri else ""
    names += "".join(
        f" {name.rpartition('}')[2]}={quoteattr(text)}" for name, text in element.attributes.items()
    )
    inner = "".join(
        _written(each)
        if isinstance(each, Element)
        else each.replace("&", "&amp;").replace("<", "&lt;")
        for each in element.content
    )
    return f"<{tag}{names}>{inner}</{tag}>"


def by_table(chance: random.Random) -> str:
    """XML drawn from the tables, mostly right."""
    return _drawn(chance, "domain", DomainDefinition, {})


def _drawn(chance: random.Random, tag: str, cls: type[Facts], keys: dict[str, str]) -> str:
    attributes, layouts = dict(keys), [layout_of(cls)]
    must = {each.name for each in fields(cls) if each.default is MISSING} | {"os_type"}
    for part in inline_parts(cls).values():
        word, chosen = chance.choice(list(part.choices.items()))
        attributes[part.key[1:]] = word
        layouts.append(layout_of(chosen))
        must |= {each.name for each in fields(chosen) if each.default is MISSING}
    return _element(chance, tag, layouts, attributes, must)


def _element(
    chance: random.Random,
    tag: str,
    layouts: list[Layout],
    attributes: dict[str, str],
    must: set[str],
) -> str:
    inner = ""
    for layout in layouts:
        for name, slot in layout.attributes.items():
            if _is_wanted(chance, slot, must):
                attributes[name] = _value(chance, slot.kind)
        if (
            layout.text is not None
            and layout.text.kind is not None
            and _is_wanted(chance, layout.text, must)
        ):
            inner += quoteattr(_value(chance, layout.text.kind))[1:-1]
        for child, (_, part) in layout.parts.items():
            inner += _parts(chance, child, part)
    for child in dict.fromkeys(child for layout in layouts for child in layout.children):
        inside = [each.children[child] for each in layouts if child in each.children]
        if any(_holds(each, must) for each in inside) or chance.random() < 0.3:
            inner += _element(chance, child, inside, {}, must)
    stated = "".join(f" {name}={quoteattr(text)}" for name, text in attributes.items())
    return f"<{tag}{stated}>{inner}</{tag}>"


def _holds(layout: Layout, must: set[str]) -> bool:
    """A fact that must be stated stands in it."""
    slots = [*layout.attributes.values(), *([] if layout.text is None else [layout.text])]
    is_here = any(slot.name in must for slot in slots)
    return is_here or any(_holds(inner, must) for inner in layout.children.values())


def _is_wanted(chance: random.Random, slot: Slot, must: set[str]) -> bool:
    return slot.name in must or chance.random() < (0.3 if slot.name is not None else 0.05)


def _parts(chance: random.Random, tag: str, part: Part) -> str:
    found = ""
    for _ in range(chance.choice([0, 0, 1, 1, 2]) if part.is_many else chance.choice([0, 1])):
        word, cls = chance.choice(list(part.choices.items()))
        found += _drawn(chance, tag, cls, {part.key[1:]: word} if part.key else {})
    return found


def _value(chance: random.Random, kind: Kind | None) -> str:
    if kind is None or chance.random() < 0.003:  # a wrong one ends the round
        return chance.choice(VALUES)
    if isinstance(kind, Words):
        return chance.choice([str(word) for word in kind.words])
    if isinstance(kind, Switch):
        return chance.choice([kind.yes, kind.no])
    for _ in range(20):  # one that the kind takes, if chance has it
        text = chance.choice([*VALUES, str(chance.randrange(300)), "word", "/a/path", "1.2"])
        try:
            kind.read(text)
        except ValueError:
            continue
        return text
    return "6695eb01-f6a4-8304-79aa-97f2502e193f"


def by_mass(chance: random.Random) -> str:
    """As much of one thing as there may be."""
    head = "<domain type='qemu'><name>a</name><memory>1</memory><os><type>hvm</type></os>"
    if chance.random() < 0.5:  # two kinds of mass
        piece = chance.choice(MASSES)
        head, tail = f"{head}<devices>", "</devices></domain>"
    else:
        piece = "<a xmlns='urn:{}'/>"
        head, tail = f"{head}<metadata><m xmlns='urn:m'>", "</m></metadata></domain>"
    room = XML_SIZE_MAX - len(head) - len(tail)
    most = room // (len(piece) + 8)
    pieces = [piece.format(number) for number in range(chance.choice([most, 3000, 100]))]
    return f"{head}{''.join(pieces)}{tail}"


KINDS: Final[list[Callable[[random.Random], str | bytes]]] = [
    *[by_bytes, by_tree, by_table] * 70,
    by_mass,
]


def one_round(chance: random.Random) -> str:
    """One document, and what came of it."""
    kind = chance.choice(KINDS)
    text = kind(chance)
    begun = monotonic()
    try:
        definition = parse_definition(text)
    except DefinitionError as error:
        end = f"refused, {error.code}"
        if error.line is None and len(text) <= XML_SIZE_MAX:
            raise AssertionError(f"no line in {error}: {text!r}") from error
    else:
        end = "a definition"
        _check(definition, text)
    if monotonic() - begun > SECONDS_MAX:
        raise AssertionError(
            f"more than {SECONDS_MAX} s for {len(text)} characters: {text[:300]!r}"
        )
    return f"{kind.__name__}: {end}"


def _check(definition: DomainDefinition, text: str | bytes) -> None:
    xml = to_xml(definition)
    if len(xml) > XML_SIZE_MAX:
        return  # it grew by what libvirt, too, writes out: indexes, units
    again = parse_definition(xml)
    told: dict[str, dict[str, str]] = {
        name: {} for names in aliases(definition).values() for name in names
    }
    live = to_xml(definition, live=LiveFacts(id=7, told=told))
    if again != definition or to_xml(again) != xml:
        raise AssertionError(f"not the same again: {text!r}\n{xml}")
    if len(live) <= XML_SIZE_MAX and parse_definition(live) != definition:
        raise AssertionError(f"the live form is another definition: {text!r}\n{live}")


if __name__ == "__main__":
    assert all(facts_of(DomainDefinition))  # noqa: S101  (made before the time runs)
    sys.exit(run_campaign("the domain XML parser", one_round))
