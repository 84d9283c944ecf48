"""Files that are sent to an artifact which is there already and says that they are elsewhere, as an import leaves it.

Everything is as in an upload, but that no artifact is made: hashed while it is sent, straight to the object store, held
against the artifact's manifest, and going on where it was when it is done again.
"""

import threading
from types import TracebackType

from mlmd_schemas.errors import Code

from mlmd_client.artifact_calls import ArtifactCalls
from mlmd_client.calls import CallError, Transport
from mlmd_client.file_doors import door_of, own_headers, own_tls
from mlmd_client.file_listing import Listing
from mlmd_client.http_connections import Connections
from mlmd_client.progress import Meter
from mlmd_client.sending import DEFAULT_PART_BYTES, Sending
from mlmd_client.signed_http import PATIENCE, Patience, SignedHttp
from mlmd_client.upload import DEFAULT_WORKERS


class Restorer:
    """Sends the files of artifacts, one artifact at a time, over the same connections."""

    def __init__(
        self, transport: Transport, meter: Meter, *, workers: int = DEFAULT_WORKERS, patience: Patience = PATIENCE
    ) -> None:
        """Ask the server for its HTTP address; raises CallError. `workers` is how many threads send."""
        self._meter = meter
        self._workers = workers
        self._stop, self._connections = threading.Event(), Connections(patience.silent_seconds)
        self._calls = ArtifactCalls(transport, self._stop, patience)
        address = self._calls.info().http_address
        headers, tls = own_headers(transport), own_tls(transport)
        self._http = SignedHttp(self._connections, self._stop, address, headers, patience, tls)
        self._door = door_of(transport)

    def __enter__(self) -> "Restorer":
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._connections.close()

    def restore(self, artifact_id: int, listing: Listing) -> bool:
        """Send the files of an artifact; return whether any had to be sent.

        Raises CallError: INVALID_ARGUMENT when a file is not what the manifest says, in which case nothing stays of
        what was sent. After any other failure the same call goes on where it was.
        """
        self._stop.clear()
        begun = self._calls.begin_restore(artifact_id)
        if begun.present:
            return False
        sending = Sending(
            self._calls, self._http, self._door, listing, self._meter, self._stop, self._workers, DEFAULT_PART_BYTES, 0
        )
        sending.begin(artifact_id, begun.uri, resumed=begun.resumed)
        try:
            self._send(sending, artifact_id, begun.uri)
        except CallError as error:
            if (
                error.code in (Code.FAILED_PRECONDITION, Code.NOT_FOUND)
                and self._calls.begin_restore(artifact_id).present
            ):
                return False  # somebody else imports the same archive, and was faster
            if error.code == Code.INVALID_ARGUMENT:
                self._give_up(artifact_id)
            raise
        return True

    def _send(self, sending: Sending, artifact_id: int, uri: str) -> None:
        sending.run(None)
        try:
            self._calls.commit(artifact_id)
        except CallError as error:
            if error.code != Code.FAILED_PRECONDITION:
                raise
            sending.begin(artifact_id, uri, resumed=True)  # something was lost on the way: look once, and send it
            sending.run(None)
            self._calls.commit(artifact_id)

    def _give_up(self, artifact_id: int) -> None:
        try:
            self._calls.abort(artifact_id)
        except CallError:  # the server's sweeper does it later; what is raised is why
            return
