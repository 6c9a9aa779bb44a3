# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domain XML to and from ``DomainDefinition``: what a domain is defined as.

XML comes from users and, later, from the wire, so all of it is untrusted. What is not understood
is an error that names the element and its line; nothing is ignored silently.
"""

from virevents.definition.domain import (
    MEMORY_KIB_MAX,
    VCPUS_MAX,
    DomainDefinition,
    DomainType,
    LifecycleAction,
    OSType,
    check_name,
)
from virevents.definition.formatting import to_xml
from virevents.definition.parsing import NodeDomain, parse_definition, parse_node
from virevents.definition.tree import XML_DEPTH_MAX, XML_SIZE_MAX

__all__ = [
    "MEMORY_KIB_MAX",
    "VCPUS_MAX",
    "XML_DEPTH_MAX",
    "XML_SIZE_MAX",
    "DomainDefinition",
    "DomainType",
    "LifecycleAction",
    "NodeDomain",
    "OSType",
    "check_name",
    "parse_definition",
    "parse_node",
    "to_xml",
]
