# SPDX-License-Identifier: LGPL-2.1-or-later
"""The wire: codecs that turn bytes into messages and back, and do nothing else.

They know no socket, thread or clock: who has one hands them what came (``receive_data``) and asks
for what it means (``next_message``) and for what is to be sent (``data_to_send``). So each can
be fed byte by byte, at random, and with what a peer recorded.
"""

__all__ = []
