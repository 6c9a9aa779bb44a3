# SPDX-License-Identifier: LGPL-2.1-or-later
"""On whose wish a domain stopped, whether in order, and whether it comes back by itself.

Run it: ``python examples/who_stopped_it.py [URI]``; it stops and starts the domain "test" twice.
"""

import sys

import virevents

_WORDS = {True: "in order", False: "not in order", None: "nobody knows how"}


def tell(event: virevents.LifecycleEvent) -> None:
    """Say why *event* happened; no need to wait and see what comes next."""
    cause = event.cause
    later = "; it comes back by itself" if cause.is_reboot else ""
    how = _WORDS[cause.is_graceful]
    print(
        f"{event.domain.name} {event.event} ({event.detail}): by {cause.requested_by}, {how}{later}"
    )


def main(uri: str) -> None:
    """Stop a domain in two ways."""
    with (
        virevents.open(uri) as connection,
        connection.subscribe(tell, only={"stopped", "crashed"}),
    ):
        domain = connection.lookup("test")
        domain.shutdown(timeout=30, force=True)
        domain.start()
        domain.destroy()
        domain.start()


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["test:///default"]))
