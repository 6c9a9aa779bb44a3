# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QEMU driver: a real ``qemu-system-*`` process behind each running domain."""

__all__: list[str] = []
