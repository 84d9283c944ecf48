"""How large a message may be, and what is said of a larger one."""

from dataclasses import dataclass

from mlmd_schemas.errors import ResourceExhausted


class RequestTooLarge(ResourceExhausted):
    """A request over the limit; answers over it and full disks have the same code."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too much; sizes in bytes."""

    max_message_bytes: int = 100 * 1024 * 1024


DEFAULT_LIMITS = Limits()


def request_too_large(size: int | None, limits: Limits) -> RequestTooLarge:
    """Return the error for a request over the limit; `size` in bytes when it is known."""
    shown = "more bytes" if size is None else f"{size} bytes, more"
    return RequestTooLarge(
        f"request: it has {shown} than the {limits.max_message_bytes} that this server takes; send fewer nodes in a "
        "call, or raise --max-message-bytes."
    )


def answer_too_large(size: int, limits: Limits) -> ResourceExhausted:
    """Return the error for an answer of so many bytes, which is over the limit."""
    return ResourceExhausted(
        f"The answer has {size} bytes and this server sends at most {limits.max_message_bytes}; ask for less with "
        "max_result_size and next_page_token (pageSize and nextPageToken in Kubeflow's API), or raise "
        "--max-message-bytes."
    )
