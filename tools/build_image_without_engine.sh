#!/usr/bin/env bash
# Builds the image and runs it once on a Debian or Ubuntu machine that has neither Docker nor a registry to pull from.
#
#   sudo tools/build_image_without_engine.sh [--keep] [WORKDIR]
#
# The base is made from Debian packages (mmdebstrap), the Dockerfile's steps run in chroots (buildah), and the result is
# started as uid 1000 the way Docker, and then the way Kubeflow Pipelines' manifest, would start it.
# WORKDIR (default: a fresh temporary folder) keeps the base between runs. With --keep it is not removed at the end.
#
# Wants root and: apt-get install --no-install-recommends buildah iproute2 mmdebstrap
# Environment: SUITE (bookworm)  MIRROR (that of the suite)  REVISION (git's)
#              CA_BUNDLE  certificates to trust while building, for networks whose proxy signs for itself
#              STEPS ("base build run")  which of the three to do
set -o errexit -o nounset -o pipefail

KEEP=no
if [ "${1:-}" = --keep ]; then KEEP=yes; shift; fi
SUITE=${SUITE:-bookworm}
STEPS=${STEPS:-base build run}
SOURCE=$(cd "$(dirname "$0")/.." && pwd)
REVISION=${REVISION:-$(git -C "${SOURCE}" rev-parse HEAD 2>/dev/null || echo unknown)}
BASE=localhost/mlmd-base:${SUITE}
IMAGE=localhost/mlmd-server:local

if [ "$(id -u)" -ne 0 ]; then echo "run this as root: chroots and mounts need it" >&2; exit 2; fi
for program in buildah ip mmdebstrap; do
  if ! command -v "${program}" >/dev/null; then
    echo "${program} is missing: apt-get install --no-install-recommends buildah iproute2 mmdebstrap" >&2
    exit 2
  fi
done

if [ $# -gt 0 ]; then WORK=$1; KEEP=yes; mkdir -p "${WORK}"; WORK=$(cd "${WORK}" && pwd); else WORK=$(mktemp -d); fi
BUILDAH=(buildah --storage-driver vfs --root "${WORK}/storage" --runroot "${WORK}/run")
CONTAINER=

clean_up() {
  if [ -n "${CONTAINER}" ]; then "${BUILDAH[@]}" rm "${CONTAINER}" >/dev/null || true; fi
  if [ "${KEEP}" = no ]; then rm -rf "${WORK}"; fi
}
trap clean_up EXIT

# Nothing is pulled, so there is nothing whose signature could be asked for.
printf '{"default": [{"type": "insecureAcceptAnything"}]}\n' > "${WORK}/policy.json"

make_base() {
  if "${BUILDAH[@]}" inspect --type image "${BASE}" >/dev/null 2>&1; then echo "== base: ${BASE} is there"; return; fi
  echo "== base: ${BASE} from ${SUITE}'s packages"
  local tarball=${WORK}/base.tar
  if [ ! -f "${tarball}" ]; then
    mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,ca-certificates "${SUITE}" "${tarball}.part" ${MIRROR:+"${MIRROR}"}
    mv "${tarball}.part" "${tarball}"
  fi
  local scratch
  scratch=$("${BUILDAH[@]}" from scratch)
  "${BUILDAH[@]}" add --quiet "${scratch}" "${tarball}" / >/dev/null
  "${BUILDAH[@]}" config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${scratch}"
  "${BUILDAH[@]}" commit --quiet --signature-policy "${WORK}/policy.json" --rm "${scratch}" "${BASE}"
}

build_image() {
  echo "== build: ${IMAGE} from ${BASE}"
  local trust=()
  if [ -n "${CA_BUNDLE:-}" ]; then # Mounted while building only: neither file is in the image.
    printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' > "${WORK}/pip.conf"
    trust=(--volume "${CA_BUNDLE}:/etc/ssl/certs/ca-certificates.crt:ro" --volume "${WORK}/pip.conf:/etc/pip.conf:ro")
  fi
  "${BUILDAH[@]}" bud --format docker --isolation chroot --network host --pull-never --no-cache \
    --signature-policy "${WORK}/policy.json" "${trust[@]}" \
    --build-arg "BASE_IMAGE=${BASE}" --build-arg "REVISION=${REVISION}" \
    --tag "${IMAGE}" --file "${SOURCE}/Dockerfile" "${SOURCE}"
}

# in_container SCRIPT: runs a shell script in the image as its own user with its own environment, on a read-only root
# file system with /data and /tmp in memory and a network of its own, in namespaces that go away with it.
in_container() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  unshare --mount --propagation private --net -- /bin/bash -euc '
    ip link set lo up
    root=$1; script=$2; shift 2
    mount --bind "${root}" "${root}"
    mount --rbind /dev "${root}/dev"
    mount -t proc proc "${root}/proc"
    mount -t tmpfs -o mode=1777 tmpfs "${root}/tmp"
    mount -t tmpfs -o mode=0750,uid=1000,gid=1000 tmpfs "${root}/data"
    mount -o remount,bind,ro "${root}"
    exec chroot --userspec=1000:1000 --groups= "${root}" /usr/bin/env -i --chdir=/data "$@" /bin/sh -euc "${script}"
  ' in_container "${ROOT}" "$1" "${IMAGE_ENV[@]}"
}

run_image() {
  CONTAINER=$("${BUILDAH[@]}" from --pull-never --signature-policy "${WORK}/policy.json" "${IMAGE}")
  ROOT=$("${BUILDAH[@]}" mount "${CONTAINER}")
  mapfile -t IMAGE_ENV < <("${BUILDAH[@]}" inspect --format '{{range .OCIv1.Config.Env}}{{println .}}{{end}}' "${CONTAINER}" | sed '/^$/d')
  echo "== run: who, and what is inside"
  # shellcheck disable=SC2016 # expanded inside
  in_container '
    id
    [ "$(id -u)" = 1000 ]
    command -v mlmd-server
    ls -l /bin/metadata_store_server /usr/lib/*/libmariadb3/plugin/caching_sha2_password.so
    du -sh /opt/mlmd
    if touch /opt/mlmd/x /x 2>/dev/null; then echo "the root file system can be written" >&2; exit 1; fi
    python -c "import MySQLdb, grpc, minio, google.protobuf, sqlalchemy, mlmd_schemas.pb.metadata_store_pb2
print(\"libmariadb\", MySQLdb.get_client_info(), \"grpcio\", grpc.__version__, \"protobuf\", google.protobuf.__version__)"'
  start_and_call "mlmd-server serve" "mlmd-server serve"
  start_and_call "metadata_store_server, as Kubeflow Pipelines starts it but in memory" \
    "/bin/metadata_store_server --grpc_port=8080 --enable_database_upgrade=true --grpc_channel_arguments=grpc.max_metadata_size=16384,grpc.max_receive_message_length=104857600"
}

# start_and_call NAME COMMAND: starts it, waits for the health check to pass, makes two calls, ends it.
start_and_call() {
  echo "== run: $1"
  in_container "
    $2 > /tmp/server.log 2>&1 &
    server=\$!
    tries=0
    until python /opt/mlmd/healthcheck.py 2>/tmp/health.log; do
      tries=\$((tries + 1))
      if [ \$tries -gt 60 ] || ! kill -0 \$server 2>/dev/null; then cat /tmp/health.log /tmp/server.log >&2; exit 1; fi
      sleep 0.5
    done
    echo healthy
    python -c '${CALLS}'
    kill -TERM \$server
    wait \$server && status=0 || status=\$?
    cat /tmp/server.log
    ls -lR /data
    echo \"exit status after SIGTERM: \$status\"
    [ \$status -eq 0 ]
  "
}

CALLS='
import grpc
from mlmd_schemas.pb import metadata_store_service_pb2 as service
channel = grpc.insecure_channel("127.0.0.1:8080")
def call(method, request, response):
    path = "/ml_metadata.MetadataStoreService/" + method
    return channel.unary_unary(path, lambda m: m.SerializeToString(), response.FromString)(request, timeout=20)
put = service.PutArtifactTypeRequest()
put.artifact_type.name = "image.Smoke"
print("type id", call("PutArtifactType", put, service.PutArtifactTypeResponse).type_id)
got = call("GetArtifactTypes", service.GetArtifactTypesRequest(), service.GetArtifactTypesResponse)
assert "image.Smoke" in [kind.name for kind in got.artifact_types]
'

for step in ${STEPS}; do
  case ${step} in
    base) make_base ;;
    build) build_image ;;
    run) run_image ;;
    *) echo "STEPS knows base, build and run, not ${step}" >&2; exit 2 ;;
  esac
done
if [ "${KEEP}" = yes ]; then echo "== kept in ${WORK}: ${BUILDAH[*]} images"; fi
