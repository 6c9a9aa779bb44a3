# SPDX-License-Identifier: LGPL-2.1-or-later
"""A callback on a worker thread that looks its domain up, beside one that is slow.

Run it: ``python examples/thread.py [URI]``; it pauses and resumes the domain "test".
"""

import sys
import threading

import virevents


def main(uri: str) -> None:
    """Show who hears of what, and when."""
    may_go_on = threading.Event()  # noqa: TID251  (a user's own program)

    def on_event(event: virevents.LifecycleEvent) -> None:
        # An event holds no live domain: look it up. No lock of the library is held here, so a
        # callback may call anything.
        domain = connection.lookup_uuid(event.domain.uuid)
        print(f"quick: {domain.name} {event.event} ({event.detail})")

    def on_event_slowly(event: virevents.LifecycleEvent) -> None:
        may_go_on.wait(10)  # whatever a slow callback does
        print(f"slow: {event.domain.name} {event.event} ({event.detail})")

    with virevents.open(uri) as connection:
        domain = connection.lookup("test")
        slow = connection.subscribe(on_event_slowly, on_release=lambda: print("slow: released"))
        with connection.subscribe(on_event):  # its end delivers what was made in the block
            domain.suspend()
            domain.resume()
        print("quick: has had everything")
        may_go_on.set()
        slow.drain(timeout=10)  # without it, close() would drop what the slow one has not begun
        slow.close()


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["test:///default"]))
