"""Several replicas' metrics as one text, in Prometheus' format. Used by `model_router.py`."""

from __future__ import annotations

from collections.abc import Iterable


def merged(texts: Iterable[tuple[str, bytes]]) -> bytes:
    """Of each (replica, what its `Meter` wrote): every sample, with its replica's name as a label.

    The samples of a family stand together, as the format wants them."""
    families: dict[str, list[str]] = {}
    for replica, text in texts:
        label = f'replica="{replica}"'
        family: list[str] = []
        for line in text.decode().split("\n"):
            if line.startswith("#"):
                # "# HELP name …", then "# TYPE name …".
                name = line.split(" ", 3)[2]
                family = families.setdefault(name, [])
                if not family or (family[-1].startswith(f"# HELP {name} ") and line.startswith("# TYPE")):
                    family.append(line)
            elif line:
                family.append(_labelled(line, label))
    return "".join(f"{line}\n" for lines in families.values() for line in lines).encode()


def _labelled(sample: str, label: str) -> str:
    """``name{a="b"} 1`` or ``name 1`` with one label more. No name holds a brace or a space."""
    name, brace, rest = sample.partition("{")
    if brace and " " not in name:
        return f"{name}{{{label},{rest}"
    name, _, value = sample.partition(" ")
    return f"{name}{{{label}}} {value}"
