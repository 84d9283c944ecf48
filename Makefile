# `make serve` and `make test` set up whatever they need; the rest is for those who work on the project.
#
#   make serve [ARGS="--grpc-port 8080"]     run the server          make test [ARGS="-k name"]   lint, then every test
#   make demo                                three models of the digits data, on a server of its own
#   make test-deps                           Debian packages that the tests use (as root)
#   make lint | format                       ruff, mypy, import-linter
#   make protos | protos-check               regenerate schemas/mlmd_schemas/pb, or fail when that would change a byte
#   make graphql                             write schemas/mlmd_schemas/graphql/schema.graphql from the code
#   make bench | differential | image        the benchmark; a long comparison with Google's core; the container image
#   make soak                                the tests that kill servers, with a minute of writing before each, and an
#                                            artifact of 100,000 files on a folder and on an object store
#   make bench-metrics                       bulk ingest of metrics beside a bare executemany and MLflow
#   make bench-registry                      resolving a model's alias beside a bare grpcio echo and MLflow
#   make bench-lineage                       a walk of 2,000 nodes out of up to 10^6 edges beside one by hand
#   make bench-artifacts                     files up and down beside minio-py, aws s3 cp and plain copying
#   make clean                               remove the environments and everything generated
#
# PYTHON=python3.12 chooses the interpreter (3.11 to 3.13).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

override PYTHON := $(shell environments/interpreter $(or $(PYTHON),3.11 3.12 3.13 python3))
PYTHON_REFERENCE ?= $(shell environments/interpreter 3.11)
PYTHONS := 3.11 3.12 3.13 3.14
PYTHON_PROTOS ?= $(shell environments/interpreter 3.11 3.12)
BIN := .venv/bin
ARGS ?=
WORKERS ?= auto

UV := $(shell command -v uv || echo .envs/uv/bin/uv)
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
export UV_SYSTEM_CERTS := 1
# Without compiled modules kept, each of the many processes that tests start compiles SQLAlchemy anew: twice the start.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

# mysqlclient has no wheels for Linux. Where the library is there it is built; a compiler is never asked for.
PYTHON_HEADERS = $(shell $(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("include") + "/Python.h")')
LIBMARIADB := $(shell pkg-config --exists libmariadb 2>/dev/null && echo yes)
BUILDABLE = $(shell command -v cc >/dev/null && test -e $(PYTHON_HEADERS) && echo yes)
MYSQL = $(if $(LIBMARIADB),$(if $(BUILDABLE),--extra mysql))
EXTRAS = --extra server --extra s3 --extra cli $(MYSQL)

TEST_PACKAGES := mariadb-server libmariadb-dev pkg-config gcc libc6-dev python3-dev python3-venv mmdebstrap \
	radosgw ceph-mon ceph-osd ceph-common zsh fish chromium chromium-driver
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
APT_GET := $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get

.PHONY: serve demo test tests environment environments lint format protos protos-check graphql bench bench-metrics bench-lineage bench-registry bench-artifacts differential soak image \
	clean test-deps mysql9 deploy-tools deploy-environment mlflow-environment awscli-environment registry-clients kfp-environment tfx-environment uv reference protos-environment protobuf-environments interpreter
.DEFAULT_GOAL := serve

serve: interpreter uv
	@$(UV) sync --locked --quiet --no-dev --inexact --python "$(PYTHON)" $(EXTRAS)
	@exec $(BIN)/mlmd-server serve $(ARGS)

demo: environment
	@$(BIN)/python examples/digits/demo.py $(ARGS)

test: lint tests

tests: environments
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

lint: environment
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: environment
	$(BIN)/ruff check --quiet --fix .
	$(BIN)/ruff format .

protos: protos-environment
	.envs/protos/bin/python tools/generate_protos.py

protos-check: protos-environment
	.envs/protos/bin/python tools/generate_protos.py --check

graphql: environment
	$(BIN)/python tools/generate_graphql.py

bench: environments
	$(BIN)/python -m benchmarks $(ARGS)

bench-metrics: environment mlflow-environment
	MLMD_MLFLOW_PYTHON=.envs/mlflow/bin/python $(BIN)/python -m benchmarks.metrics $(ARGS)

bench-lineage: environment
	$(BIN)/python -m benchmarks.lineage $(ARGS)

bench-registry: environment mlflow-environment
	MLMD_MLFLOW_PYTHON=.envs/mlflow/bin/python $(BIN)/python -m benchmarks.registry $(ARGS)

bench-artifacts: environment awscli-environment
	MLMD_AWS=.envs/awscli/bin/aws $(BIN)/python -m benchmarks.artifacts $(ARGS)

differential: environments
	MLMD_DIFFERENTIAL=long $(BIN)/python -m pytest -n $(WORKERS) tests/differential $(ARGS)

soak: environments
	MLMD_SOAK=1 $(BIN)/python -m pytest tests/faults/test_servers.py tests/faults/test_alias_contention.py \
		tests/faults/test_artifact_users.py tests/client/test_many_files.py $(ARGS)

image:
	@engine=$$(command -v docker || command -v podman) || \
		{ echo "No docker or podman; without an engine: sudo tools/build_image_without_engine.sh" >&2; exit 2; }; \
	"$$engine" build --tag mlmd-server:dev .

clean:
	rm -rf .venv .envs dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- environments -----------------------------------------------------------------------------------------------------

interpreter:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or later was found; install one, or say PYTHON=/path/to/it." >&2; exit 1; }

uv: interpreter
	@test -x "$(UV)" || { "$(PYTHON)" -m venv .envs/uv && .envs/uv/bin/python -m pip install --quiet 'uv>=0.9'; }

environment: uv
	$(if $(LIBMARIADB),$(if $(MYSQL),,@echo "mysqlclient cannot be built (no C compiler or no Python.h): going without."))
	$(UV) sync --locked --quiet --python "$(PYTHON)" $(EXTRAS)

reference: uv
ifeq ($(strip $(PYTHON_REFERENCE)),)
	@echo "No Python 3.11: tests that compare with Google's library (its wheels end there) will skip."
else
	UV_PROJECT_ENVIRONMENT=$(CURDIR)/.envs/reference $(UV) sync --locked --quiet --project environments/reference --python $(PYTHON_REFERENCE)
endif

protos-environment: uv
	@test -n "$(PYTHON_PROTOS)" || { echo "The generator of protobuf code needs a Python 3.11 or 3.12." >&2; exit 1; }
	UV_PROJECT_ENVIRONMENT=$(CURDIR)/.envs/protos $(UV) sync --locked --quiet --project environments/protos --python $(PYTHON_PROTOS)

# What reads the Dockerfile and the manifests.
deploy-environment: uv
	UV_PROJECT_ENVIRONMENT=$(CURDIR)/.envs/deploy $(UV) sync --locked --quiet --project environments/deploy --python "$(PYTHON)"

# Kubeflow Model Registry's own client, once for each version of its API.
registry-clients: uv
	for version in v1alpha3 v1; do \
		UV_PROJECT_ENVIRONMENT=$(CURDIR)/.envs/registry-client-$$version $(UV) sync --locked --quiet \
			--project environments/registry-client-$$version --python "$(PYTHON)"; done

# What the benchmark of metrics compares with.
mlflow-environment: uv
	UV_PROJECT_ENVIRONMENT=$(CURDIR)/.envs/mlflow $(UV) sync --locked --quiet --project environments/mlflow --python "$(PYTHON)" $(MYSQL)

# Kubeflow Pipelines' SDK, which compiles examples/kubeflow.
kfp-environment: uv
	UV_PROJECT_ENVIRONMENT=$(CURDIR)/.envs/kfp $(UV) sync --locked --quiet --project environments/kfp --python "$(PYTHON)"

# TFX, whose own tests and an example run on our server and on our client.
tfx-environment: uv
ifeq ($(strip $(PYTHON_REFERENCE)),)
	@echo "No Python 3.11: TFX's tests, which want Google's library beside ours, will skip."
else
	UV_PROJECT_ENVIRONMENT=$(CURDIR)/.envs/tfx $(UV) sync --locked --quiet --project environments/tfx --python $(PYTHON_REFERENCE)
endif

# The oldest and the newest protobuf that the client allows, on every Python of the machine; 3.14 cannot load 4.25.
protobuf-environments: uv
	@for python in $(PYTHONS); do \
		path=$$(environments/interpreter $$python) || continue; \
		for protobuf in 4 7; do \
			if [ $$protobuf-$$python = 4-3.14 ]; then continue; fi; \
			UV_PROJECT_ENVIRONMENT=$(CURDIR)/.envs/protobuf$$protobuf-$$python \
				$(UV) sync --locked --quiet --project environments/protobuf$$protobuf --python "$$path"; \
		done; \
	done

# What the benchmark of artifacts compares with.
awscli-environment: uv
	UV_PROJECT_ENVIRONMENT=$(CURDIR)/.envs/awscli $(UV) sync --locked --quiet --project environments/awscli --python "$(PYTHON)"

environments: environment reference deploy-environment registry-clients kfp-environment tfx-environment protobuf-environments

# --- what the tests want of the system --------------------------------------------------------------------------------

test-deps:
	$(APT_GET) update
	$(APT_GET) install -y --no-install-recommends $(TEST_PACKAGES)
	$(MAKE) mysql9
	$(MAKE) deploy-tools

# Oracle's MySQL is packaged in Debian's sid alone, which moves: nothing is installed, and its absence is tolerated.
mysql9:
	@if [ -x .envs/mysql9/usr/sbin/mysqld ]; then exit 0; fi; \
	rm -rf .envs/mysql9 .envs/mysql9-template; mkdir -p .envs; \
	if mmdebstrap --quiet --variant=extract --aptopt='Acquire::Check-Valid-Until "false"' \
		--include=mysql-server-core,mysql-client-core sid .envs/mysql9; \
	then echo "MySQL 9 is in .envs/mysql9."; \
	else rm -rf .envs/mysql9; echo "MySQL 9 CANNOT BE HAD today from Debian's sid: the tests on it will skip."; fi

# A kubectl whose kustomize is of version 5: the machine's, else that of Debian's trixie, unpacked and not installed.
deploy-tools: deploy-environment
	@if kubectl version --client 2>/dev/null | grep -q 'Kustomize Version: v5'; then exit 0; fi; \
	if [ -x .envs/kubectl/usr/bin/kubectl ]; then exit 0; fi; \
	rm -rf .envs/kubectl; mkdir -p .envs; \
	mmdebstrap --quiet --variant=extract --aptopt='Acquire::Check-Valid-Until "false"' --include=kubectl trixie .envs/kubectl
