# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of accepted elements, obeyed."""

import pytest

from tests.definition.samples import least_xml
from virevents.definition import DomainType, LifecycleAction
from virevents.definition.accepted import DOMAIN, TEST_DOMAIN, Accepted, Draft, fill
from virevents.definition.tree import parse_tree
from virevents.errors import DefinitionError
from virevents.model import DomainState

_STATE = "<t:runstate xmlns:t='http://libvirt.org/schemas/domain/test/1.0'>{}</t:runstate>"


def _filled(xml: str, accepted: Accepted = DOMAIN) -> Draft:
    draft = Draft()
    fill(draft, parse_tree(xml), accepted)
    return draft


@pytest.mark.parametrize(
    ("more", "element"),
    [
        ("<clock offset='utc'/>", "clock"),
        ("<devices>\n<disk/></devices>", "disk"),
        ("<vcpu placement='static'>1</vcpu>", "vcpu@placement"),
        ("<devices><emulator>/a<b/></emulator></devices>", "b"),
        ("<devices>text</devices>", "devices"),
        ("<x:y xmlns:x='urn:z'/>", "{urn:z}y"),
        (_STATE.format(5), "{http://libvirt.org/schemas/domain/test/1.0}runstate"),
    ],
)
def test_names_the_stranger(more: str, element: str) -> None:
    with pytest.raises(DefinitionError, match=r"unexpected|expected elements only") as caught:
        _filled(least_xml(more=more))
    assert caught.value.element == element
    assert caught.value.line == 6 + more.count("\n")


@pytest.mark.parametrize("more", ["<name>web2</name>", "<memory>1</memory>", "<os/>"])
def test_once(more: str) -> None:
    with pytest.raises(DefinitionError, match="expected once in <domain>, met again") as caught:
        _filled(least_xml(more=more))
    assert caught.value.line == 6


@pytest.mark.parametrize(
    ("more", "element"),
    [
        ("<vcpu>x</vcpu>", "vcpu"),
        ("<vcpu>-1</vcpu>", "vcpu"),
        ("<vcpu></vcpu>", "vcpu"),
        ("<vcpu>\u0661</vcpu>", "vcpu"),
        (f"<vcpu>{'1' * 100_000}</vcpu>", "vcpu"),
        ("<currentMemory>1.5</currentMemory>", "currentMemory"),
        ("<currentMemory unit='pages'>1</currentMemory>", "currentMemory@unit"),
        ("<on_crash>explode</on_crash>", "on_crash"),
    ],
)
def test_values_that_cannot_be(more: str, element: str) -> None:
    with pytest.raises(DefinitionError, match=r"line 6: .*expected .* met") as caught:
        _filled(least_xml(more=more))
    assert caught.value.element == element
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["xen", ""])
def test_type_of_domain(text: str) -> None:
    with pytest.raises(DefinitionError, match=r"<domain@type>: expected one of test, qemu, kvm; met"):
        _filled(f"<domain type='{text}'/>")


def test_type_of_os() -> None:
    with pytest.raises(DefinitionError, match=r"<type>: expected one of hvm; met 'xen'"):
        _filled("<domain type='test'><os><type>xen</type></os></domain>")


def test_every_element_reaches_the_draft() -> None:
    draft = _filled(
        "<domain type='qemu' id='3'><name> a </name>"
        "<uuid> 6695EB01F6A4830479AA97F2502E193F\n</uuid>"
        "<memory unit='MiB'> 2 </memory><currentMemory unit=''>5</currentMemory><vcpu>3</vcpu>"
        "<os><type arch='x86_64' machine='pc'>hvm</type><loader>/l</loader></os>"
        "<devices><emulator>/e</emulator></devices><on_poweroff>preserve</on_poweroff>"
        "<on_reboot>destroy</on_reboot><on_crash> coredump-restart </on_crash></domain>"
    )
    assert draft.domain_type is DomainType.QEMU
    assert (draft.name, draft.uuid) == (" a ", "6695eb01-f6a4-8304-79aa-97f2502e193f")
    assert (draft.memory_kib, draft.current_memory_kib, draft.vcpus) == (2048, 5, 3)
    assert (draft.os_type, draft.arch, draft.machine) == ("hvm", "x86_64", "pc")
    assert (draft.loader, draft.emulator) == ("/l", "/e")
    actions = (draft.on_poweroff, draft.on_reboot, draft.on_crash)
    assert actions == (
        LifecycleAction.PRESERVE,
        LifecycleAction.DESTROY,
        LifecycleAction.COREDUMP_RESTART,
    )


def test_state_of_a_test_domain() -> None:
    assert _filled(least_xml(), TEST_DOMAIN).state is DomainState.RUNNING
    paused = _filled(least_xml(more=_STATE.format(3)), TEST_DOMAIN)
    assert paused.state is DomainState.PAUSED
    with pytest.raises(DefinitionError, match="99 is not a valid DomainState"):
        _filled(least_xml(more=_STATE.format(99)), TEST_DOMAIN)
