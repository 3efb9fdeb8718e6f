"""Serve's configuration: a base that platform engineers write, and, in the config hub's part, our definitions
or where they are.

One canonical string, since KubeRay submits anew whenever the string differs. Used by `reconciler.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
import yaml

APPLICATION = "voyager"
HUB = "ConfigHub"

# etcd refuses objects over 1.5 MiB, and the string is not all that a RayService holds.
MOST_BYTES = 1024 * 1024


class ConfigError(ValueError):
    """The base is unusable, or the result too large."""


def load_base(path: str = "") -> dict[str, Any]:
    """A base configuration: the given file, or the one that ships. Raises `ConfigError`."""
    source = Path(path) if path else files("controller").joinpath("serve-config.yaml")
    try:
        base = yaml.safe_load(source.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path or 'serve-config.yaml'} cannot be read: {error}") from None
    _hub(base)
    return base


def with_definitions(base: dict[str, Any], user_config: Mapping[str, str]) -> str:
    """The base with the hub's `user_config` in it, as canonical JSON, which is YAML as well.

    Raises `ConfigError` when it is too large for an object of the cluster."""
    config: dict[str, Any] = orjson.loads(orjson.dumps(base))
    _hub(config)["user_config"] = user_config
    text = orjson.dumps(config, option=orjson.OPT_SORT_KEYS).decode()
    if len(text) > MOST_BYTES:
        raise ConfigError(
            f"Serve's configuration has {len(text)} bytes, and {MOST_BYTES} are the most: shorten its base"
        )
    return text


# A round of the reconciler asks for the same text several times, and a large one takes a while to read.
@lru_cache(maxsize=2)
def user_config_in(text: str) -> Mapping[str, Any] | None:
    """The hub's `user_config` in a configuration; None where there is none."""
    try:
        found = _hub(yaml.safe_load(text) if text else None).get("user_config")
    except (ValueError, yaml.YAMLError):
        return None
    return found if isinstance(found, dict) else None


def _hub(config: Any) -> dict[str, Any]:
    """The hub's part of a configuration. Raises `ConfigError`."""
    applications = config.get("applications") if isinstance(config, dict) else None
    for application in applications or ():
        if application.get("name") == APPLICATION:
            for deployment in application.get("deployments") or ():
                if deployment.get("name") == HUB:
                    return deployment
    raise ConfigError(f"the configuration has no application {APPLICATION} with a deployment {HUB}")
