# SPDX-License-Identifier: LGPL-2.1-or-later
"""What QEMU calls each disk and its block nodes: the names that its events speak of.

It stands apart from the arguments because events come back with these names long after: both
sides read them from here.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_drives.py``:
    both_ways          whatever name QEMU uses for a disk leads back to it
    fit_for_qemu       no name is too long or has a character that QEMU refuses
"""

from virevents.definition import (
    ControllerKind,
    ControllerModel,
    DomainDefinition,
    aliases,
)

__all__ = ["describe_channel", "describe_disk", "format_node", "has_targets", "storage_node"]

_BACKEND = "/virtio-backend"


def has_targets(definition: DomainDefinition, index: int) -> bool:
    """Whether SCSI controller *index* has targets with units; lsilogic, the default, has none."""
    return any(
        each.kind is ControllerKind.SCSI
        and each.index == index
        and each.model not in {None, ControllerModel.LSILOGIC}
        for each in definition.controllers
    )


def storage_node(position: int) -> str:
    """The block node of the image's bytes, for the disk at *position* of the definition."""
    return f"disk{position}-storage"


def format_node(position: int) -> str:
    """The block node of the image's content, which the disk's device uses."""
    return f"disk{position}-format"


def describe_disk(definition: DomainDefinition, name: str) -> tuple[str, str] | None:
    """The image's path ("" without a medium) and the alias of the disk that QEMU calls *name*.

    Args:
        definition: The one that the QEMU was started with.
        name: The id of the device, the name of one of its block nodes, or a path in QEMU's
            object model that ends in the id.

    Returns:
        None if no disk has that name.
    """
    short = name.removesuffix(_BACKEND).rpartition("/")[2]
    names = aliases(definition)["disks"]
    for position, (disk, alias) in enumerate(zip(definition.disks, names, strict=True)):
        if short in {alias, storage_node(position), format_node(position)}:
            return disk.source.path or "", alias
    return None


def describe_channel(definition: DomainDefinition, alias: str) -> str | None:
    """The name by which the guest finds the channel whose device QEMU calls *alias*.

    Returns:
        None if no channel has that alias; "" if the channel has no name.
    """
    names = aliases(definition)["channels"]
    for channel, each in zip(definition.channels, names, strict=True):
        if each == alias:
            return channel.name or ""
    return None
