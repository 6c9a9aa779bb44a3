# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lock table is complete and says what the plan says."""

from virevents.sync import LOCK_TABLE, LockClass, Step, table


def test_every_class_is_in_the_table_once() -> None:
    declared = [value for value in vars(table).values() if isinstance(value, LockClass)]
    assert sorted(declared, key=lambda k: k.name) == sorted(LOCK_TABLE, key=lambda k: k.name)
    assert len({kind.name for kind in LOCK_TABLE}) == len(LOCK_TABLE)


def test_steps() -> None:
    steps = {kind.name: kind.step for kind in LOCK_TABLE}
    assert steps == {
        "turn": Step.TURN,
        "driver": Step.OWNER,
        "domain": Step.OWNER,
        "registry": Step.OWNER,
        "connection": Step.OWNER,
        "process": Step.OWNER,
        "queue": Step.LEAF,
        "mailbox": Step.LEAF,
        "pool": Step.LEAF,
        "wakeup": Step.LEAF,
    }
    assert Step.TURN < Step.OWNER < Step.LEAF


def test_each_row_says_what_it_is_one_per_and_guards() -> None:
    assert all(kind.scope and kind.guards for kind in LOCK_TABLE)
