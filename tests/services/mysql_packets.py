"""What a MySQL client sends, packet by packet: enough of the protocol to see its statements.

A packet is a 3-byte length (little endian), a sequence number and that many bytes. A command begins at sequence number
0; its first byte says which, and COM_QUERY carries the text.
"""

import socket
from collections.abc import Iterable, Iterator

COM_QUERY, COM_STMT_PREPARE = 0x03, 0x16
COMMANDS = {0x01: "<quit>", 0x02: "<use>", 0x0E: "<ping>", 0x17: "<execute>", 0x19: "<close>", 0x1F: "<reset>"}
CLIENT_SSL = 0x0800


def receive(connection: socket.socket, length: int) -> bytes:
    """Read exactly that many bytes, fewer at the end of the stream."""
    parts = bytearray()
    while len(parts) < length and (part := connection.recv(length - len(parts))):
        parts += part
    return bytes(parts)


def packets(connection: socket.socket) -> Iterator[tuple[bytes, str | None]]:
    """Yield what a client sends in forwardable pieces, each with its statement when one begins there.

    A command other than a statement is its name in angle brackets. Raises RuntimeError for a client that asks for TLS,
    as nothing can be seen then.
    """
    while len(head := receive(connection, 4)) == 4:
        sequence, body = head[3], receive(connection, int.from_bytes(head[:3], "little"))
        if sequence == 1 and len(body) == 32 and int.from_bytes(body[:4], "little") & CLIENT_SSL:
            raise RuntimeError("the client asked for TLS; a proxy that looks at statements needs it switched off")
        yield head + body, statement(body) if sequence == 0 and body else None


def kinds(packets: Iterable[str]) -> list[str]:
    """Return the first words of the statements of each packet, `INSERT UPDATE` for one that carries both."""
    return [" ".join(one.split()[0] for one in packet.split(";\n")) for packet in packets]


def chunks(connection: socket.socket) -> Iterator[tuple[bytes, str | None]]:
    """Yield bytes of any protocol as they come; each chunk counts as one statement, its bytes as latin-1."""
    while chunk := connection.recv(65536):
        yield chunk, chunk.decode("latin-1")


def statement(command: bytes) -> str:
    """Return the text of a command packet's statement, or the command's name."""
    if command[0] in (COM_QUERY, COM_STMT_PREPARE):
        return command[1:].decode("utf-8", "replace")
    return COMMANDS.get(command[0], f"<command {command[0]}>")
