# The base is an argument so that a mirror, a hardened image or one made from Debian packages can take its place.
# It needs Python 3.11 to 3.13 with venv and ensurepip, and apt.
ARG BASE_IMAGE=python:3.12-slim-bookworm

FROM ${BASE_IMAGE} AS build

SHELL ["/bin/bash", "-o", "errexit", "-o", "pipefail", "-c"]

# mysqlclient is compiled against the same libmariadb that the second stage installs. A base whose Python is Debian's
# lacks its headers; python:*-slim has them. Debian's security updates are wanted, so versions are not pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev libmariadb-dev pkg-config \
    && headers="$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" \
    && if [ ! -f "${headers}" ]; then apt-get install --yes --no-install-recommends python3-dev; fi \
    && rm -rf /var/lib/apt/lists/*

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

COPY deploy/image/build-requirements.txt deploy/image/
RUN python3 -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes --only-binary :all: -r deploy/image/build-requirements.txt

# Every dependency comes from uv.lock and is checked against its hash there.
COPY pyproject.toml uv.lock ./
RUN /opt/build/bin/uv export --quiet --frozen --no-dev --no-emit-project \
        --extra server --extra mysql --extra s3 --extra cli --output-file /tmp/requirements.txt \
    && /opt/build/bin/pip wheel --require-hashes --no-deps --no-build-isolation \
        --only-binary :all: --no-binary mysqlclient --wheel-dir /wheels -r /tmp/requirements.txt

COPY . .
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python3 -m venv --without-pip /opt/mlmd \
    && /opt/build/bin/pip --python /opt/mlmd/bin/python install --no-index --no-deps /wheels/*.whl \
    && cp deploy/image/healthcheck.py /opt/mlmd/healthcheck.py


FROM ${BASE_IMAGE}

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mlmd-server" \
      org.opencontainers.image.description="A metadata store for machine learning: runs, lineage, metrics, files and a model registry, in the place of Google's ML Metadata server." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libmariadb3 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 1000 mlmd \
    && useradd --uid 1000 --gid 1000 --home-dir /data --no-create-home --shell /usr/sbin/nologin mlmd \
    && install --directory --owner=1000 --group=0 --mode=0775 /data \
    && ln -s /opt/mlmd/bin/metadata_store_server /bin/metadata_store_server

COPY --from=build /opt/mlmd /opt/mlmd

# The server listens on every interface here, because a container's loopback is nobody's; publish its ports with care.
ENV PATH=/opt/mlmd/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MLMD_HOST=0.0.0.0

# With no option at all the server keeps everything in ./mlmd-data, which is /data/mlmd-data here.
USER 1000:1000
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8080 8081

HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/opt/mlmd/bin/python", "/opt/mlmd/healthcheck.py"]

ENTRYPOINT ["mlmd-server"]
CMD ["serve"]
