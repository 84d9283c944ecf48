"""Google's C++ core on the end of a pipe. Runs in the reference environment and knows nothing of ours.

A frame is a 32-bit length and that many bytes, in network order. Asked: method, request. Answered: code (32 bits,
signed), then a response when the code is 0 and a message otherwise. The method `@open` takes two frames, a
ConnectionConfig and MigrationOptions, and opens that database for the calls that follow; `@close` lets go of it.
"""

import os
import struct
import sys

from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as core

UNKNOWN, FAILED_PRECONDITION, UNIMPLEMENTED = 2, 9, 12


def read_frame(stream):
    """Return the next frame, None at the end of the stream."""
    head = stream.read(4)
    return stream.read(struct.unpack("!I", head)[0]) if len(head) == 4 else None


class Worker:
    """The store that is open, if any."""

    def __init__(self):
        self.store = None

    def open(self, config, migration):
        """Open a database; the core's refusal is an answer like any other."""
        self.store = None
        try:
            self.store = core.CreateMetadataStore(config, migration)
        except RuntimeError as error:
            return UNKNOWN, str(error).encode()
        return 0, b""

    def call(self, method, request):
        """Call the core, and return (code, response or message)."""
        if self.store is None:
            return FAILED_PRECONDITION, b"no database is open"
        wrapped = getattr(core, method, None)
        if wrapped is None:
            return UNIMPLEMENTED, b"the core's Python binding does not wrap this call"
        response, message, code = wrapped(self.store, request)
        return (code, message) if code else (0, response)

    def answer(self, method, stream):
        """Read what the method needs and carry it out."""
        if method == "@open":
            return self.open(read_frame(stream), read_frame(stream))
        request = read_frame(stream)
        if method == "@close":
            self.store = None
            return 0, b""
        return self.call(method, request)


def main():
    """Answer until the asking side closes the pipe."""
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the core prints must not land among the answers
    worker = Worker()
    while (method := read_frame(asked)) is not None:
        code, body = worker.answer(method.decode(), asked)
        answers.write(struct.pack("!iI", code, len(body)) + body)
        answers.flush()


if __name__ == "__main__":
    sys.exit(main())
