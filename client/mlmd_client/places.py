"""Where a process stands: a rank of a distributed training, a child of a process with a run, or alone."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlmd_client.failures import refused

RUN_VARIABLE = "MLMD_RUN"
DEFAULT_FOLDER = "mlmd-data"
_RANKS = (
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
)
_JOBS = (
    ("SLURM_JOB_ID", "SLURM_STEP_ID"),
    ("PMIX_NAMESPACE",),
    ("TORCHELASTIC_RUN_ID", "MASTER_ADDR", "MASTER_PORT"),
    ("MASTER_ADDR", "MASTER_PORT"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A rank among many, and the key that all of them have; alone it is rank 0 of 1 with no key.

    >>> Place().is_writer
    True
    """

    rank: int = 0
    size: int = 1
    key: str = ""

    @property
    def is_writer(self) -> bool:
        """Whether this process writes for all of them."""
        return self.rank == 0


def place_of(environment: Mapping[str, str], join: str = "", rank: int | None = None) -> Place:
    """Return where a process stands by the variables that torchrun, Open MPI, MPICH and Slurm set.

    `join` and `rank` say it instead. Raises Refused when there are several ranks and nothing that tells which belong
    together.

    >>> place_of({"RANK": "1", "WORLD_SIZE": "4", "SLURM_JOB_ID": "77"})
    Place(rank=1, size=4, key='SLURM_JOB_ID=77')
    >>> place_of({})
    Place(rank=0, size=1, key='')
    """
    found_rank, size = _rank(environment)
    chosen = found_rank if rank is None else rank
    if join:
        return Place(chosen, max(size, chosen + 1), join)
    if size < 2 and rank is None:
        return Place()
    key = _key(environment, size)
    if not key:
        raise refused(
            f"join: this is rank {chosen} of several and nothing tells which ranks belong together; pass join= with a "
            "text that all of them have and no other job, the id of the job for example."
        )
    return Place(chosen, size, key)


def _rank(environment: Mapping[str, str]) -> tuple[int, int]:
    for rank, size in _RANKS:
        told = environment.get(rank, ""), environment.get(size, "")
        if told[0].isdecimal() and told[1].isdecimal() and int(told[1]) > 1:
            return int(told[0]), int(told[1])
    return 0, 1


def _key(environment: Mapping[str, str], size: int) -> str:
    for names in _JOBS:
        if environment.get(names[0]):
            parts = [f"{name}={environment[name]}" for name in names if environment.get(name)]
            if environment.get("LOCAL_WORLD_SIZE") == str(size):  # one machine: ranks are children of one launcher
                import socket  # seldom needed

                parts.append(f"{socket.gethostname()}:{os.getppid()}")
            return " ".join(parts)[:255]
    return ""


def told_run(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return name and token of the run that the parent process told of; both empty when it told of none.

    >>> told_run({"MLMD_RUN": "churn/train#4f0c9d2b7a6e4c18"})
    ('churn/train', '4f0c9d2b7a6e4c18')
    """
    name, hash_mark, token = environment.get(RUN_VARIABLE, "").rpartition("#")
    return (name, token) if hash_mark and token else ("", "")


def split_name(name: str) -> tuple[str, str]:
    """Return experiment and step of a run's name; a name without `/` is both. Raises Refused.

    >>> split_name("churn/train"), split_name("churn")
    (('churn', 'train'), ('churn', 'churn'))
    """
    if not isinstance(name, str) or not name.strip("/ ") or name != name.strip("/ "):
        raise refused(f"name: {name!r} cannot name a run; write experiment/step, 'churn/train' for example.")
    experiment, _, step = name.rpartition("/")
    return (experiment or step, step)


def address_of(target: str | None) -> str:
    """Return a target as another process, in another folder, would have to write it.

    >>> address_of("meta:8080"), address_of("/srv/mlmd")
    ('grpc://meta:8080', '/srv/mlmd')
    """
    if target is None:
        return str(Path(DEFAULT_FOLDER).absolute())
    scheme, separator, rest = target.partition("://")
    if separator and scheme == "sqlite":
        return f"sqlite:///{Path(rest.removeprefix('/')).absolute()}"
    if separator:
        return target
    host, colon, port = target.rpartition(":")
    return f"grpc://{target}" if colon and host and port.isdecimal() else str(Path(target).expanduser().absolute())


def database_file(target: str | None) -> Path | None:
    """Return the SQLite file of a store in this process, None where the target is a server or another database.

    >>> database_file("/srv/mlmd"), database_file("sqlite:////srv/facts.db"), database_file("grpc://meta:8080")
    (PosixPath('/srv/mlmd/metadata.db'), PosixPath('/srv/facts.db'), None)
    """
    address = address_of(target)
    scheme, separator, rest = address.partition("://")
    if not separator:
        return Path(address) / "metadata.db"
    return Path(rest.removeprefix("/")) if scheme == "sqlite" else None


_TOLD_HERE: dict[str, int] = {}
"""Tokens that a process, by its id, put into its own environment for its children."""


def is_told_by_parent(token: str) -> bool:
    """Tell whether a token in the environment came from another process, and not from a run of this one.

    >>> is_told_by_parent("4f0c9d2b7a6e4c18")
    True
    """
    return _TOLD_HERE.get(token) != os.getpid()


def tell_children(token: str) -> None:
    """Note that this process told its children of a run by its own environment.

    >>> tell_children("8c1d4e5f6a7b0d29")
    >>> is_told_by_parent("8c1d4e5f6a7b0d29")
    False
    """
    _TOLD_HERE[token] = os.getpid()
