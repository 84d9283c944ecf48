"""Connections whose other end vanished without a word: a machine that lost power, a network that drops packets."""

import contextlib
import os
import socket

SILENCE_SECONDS = 60
"""How long a peer may leave bytes or probes unacknowledged; a slow statement is none of this, its machine answers."""
_PROBE_EVERY_SECONDS = 15


def watch_peer(descriptor: int) -> None:
    """Let the kernel end the TCP connection of this descriptor when its peer is gone; pass over other sockets."""
    with contextlib.closing(socket.socket(fileno=os.dup(descriptor))) as watched:
        if watched.family not in (socket.AF_INET, socket.AF_INET6):
            return
        watched.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            ("TCP_KEEPIDLE", _PROBE_EVERY_SECONDS),
            ("TCP_KEEPINTVL", _PROBE_EVERY_SECONDS),
            ("TCP_KEEPCNT", SILENCE_SECONDS // _PROBE_EVERY_SECONDS - 1),
            ("TCP_USER_TIMEOUT", SILENCE_SECONDS * 1000),
        ):
            if (number := getattr(socket, option, None)) is not None:
                watched.setsockopt(socket.IPPROTO_TCP, number, value)
