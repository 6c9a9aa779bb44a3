# SPDX-License-Identifier: LGPL-2.1-or-later
"""Act, and wait for the event that the action causes; and what happens when it does not come.

Run it: ``python examples/expect.py [URI]``; it shuts the domain "test" down.
"""

import sys

import virevents


def main(uri: str) -> None:
    """Expect an event that comes, and one that does not."""
    with virevents.open(uri) as connection:
        domain = connection.lookup("test")
        with connection.expect(domain, "stopped", timeout=30) as stopped:  # listens first
            domain.shutdown()
        print(f"{domain.name} stopped: {stopped.event.detail}")
        try:
            with connection.expect(domain, "started", timeout=0.1):
                pass  # nobody starts it
        except virevents.ExpectTimeout as error:
            print(f"as it should be: {error}")


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["test:///default"]))
