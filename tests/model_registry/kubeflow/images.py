"""Images in folders, as OCI's image layout has them: one to build on, and the files of one that was built."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


def write_image(folder: Path, content: bytes) -> None:
    """Write an image of one layer with one file."""
    (folder / "blobs" / "sha256").mkdir(parents=True)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("base")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    layer = _blob(folder, packed.getvalue())
    rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
    history = [{"created": "2026-11-01T00:00:00Z", "created_by": "hand"}]
    facts = {"architecture": "amd64", "os": "linux", "rootfs": rootfs, "history": history}
    config = _blob(folder, _json(facts))
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG, **config},
        "layers": [{"mediaType": _LAYER, **layer}],
    }
    index = {"schemaVersion": 2, "manifests": [{"mediaType": _MANIFEST, **_blob(folder, _json(manifest))}]}
    (folder / "index.json").write_bytes(_json(index))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


def _blob(folder: Path, body: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(body).hexdigest()
    (folder / "blobs" / "sha256" / digest).write_bytes(body)
    return {"digest": f"sha256:{digest}", "size": len(body)}


def layer_contents(folder: Path) -> list[bytes]:
    """Return what the files in the layers of an image's only manifest hold; every blob is held against its digest."""
    (entry,) = json.loads((folder / "index.json").read_text())["manifests"]
    manifest = json.loads(_read(folder, entry["digest"]).read_text())
    found: list[bytes] = []
    for layer in manifest["layers"]:
        with tarfile.open(_read(folder, layer["digest"])) as archive:
            opened = [archive.extractfile(member) for member in archive if member.isfile()]
            found += [file.read() for file in opened if file is not None]
    return found


def _read(folder: Path, digest: str) -> Path:
    path = folder / "blobs" / "sha256" / digest.removeprefix("sha256:")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    return path
