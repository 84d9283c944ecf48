"""The options as a page of the manual; docs/configuration.md carries this table, and a test holds it to that."""

from mlmd_server.options import OPTIONS, Option

BEGIN = "<!-- options: begin (python -m mlmd_server.manual prints them) -->"
END = "<!-- options: end -->"


def options_table() -> str:
    """Return every option as one Markdown table."""
    rows = ["| flag | environment | TOML | default | meaning |", "|---|---|---|---|---|"]
    rows += [_row(option) for option in OPTIONS]
    return "\n".join(rows)


def _row(option: Option) -> str:
    flag = f"--{option.name} {option.metavar}".strip().replace("|", "\\|")
    text = option.text.replace("|", "\\|")
    return f"| `{flag}` | `{option.variable}` | `{option.key}` | {_default(option.default)} | {text} |"


def _default(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    shown = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"`{shown}`" if shown else ""


if __name__ == "__main__":
    print(options_table())
