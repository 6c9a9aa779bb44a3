# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who a domain is."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virevents.model import INACTIVE_ID, DomainIdentity, canonical_uuid


@dataclass
class Handle:
    name: str
    uuid: str
    id: int


@given(st.uuids())
def test_canonical(uuid: object) -> None:
    text = str(uuid)
    spellings = (text, text.upper(), text.replace("-", ""), text.replace("-", "").upper())
    for spelling in spellings:
        assert canonical_uuid(spelling) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "web1",
        "6695eb01-f6a4-8304-79aa-97f2502e193",
        "6695eb01-f6a4-8304-79aa-97f2502e193f0",
        "6695eb01f6a4-8304-79aa-97f2502e193f",
        " 6695eb01-f6a4-8304-79aa-97f2502e193f",
        "6695eb01-f6a4-8304-79aa-97f2502e193f\n",
        "6695eb01-f6a4-8304-79aa-97f2502e193g",
        "٦695eb01-f6a4-8304-79aa-97f2502e193f",
    ],
)
def test_canonical_refuses_what_is_no_uuid(text: str) -> None:
    with pytest.raises(ValueError, match="expected a uuid") as caught:
        canonical_uuid(text)
    assert repr(text) in str(caught.value)


def test_from_domain_takes_all_three_names() -> None:
    identity = DomainIdentity.from_domain(Handle("web1", "u", 4))
    assert identity == DomainIdentity("web1", "u", 4)


def test_inactive() -> None:
    identity = DomainIdentity.from_definition(Handle("web1", "u", 4))
    assert identity.id == INACTIVE_ID == -1
    assert identity == DomainIdentity("web1", "u")
