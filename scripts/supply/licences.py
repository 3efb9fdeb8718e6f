"""Under which licence an installed package stands, by its metadata; and whether the policy accepts it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from importlib.metadata import Distribution

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.utils import canonicalize_name

from scripts.supply.policy import Policy

_OPERATORS = {"AND", "OR", "WITH"}


@dataclass(frozen=True, slots=True)
class Licence:
    """An SPDX expression, and whether the package itself declares it (else a person read its files)."""

    expression: str
    declared: bool

    @property
    def identifiers(self) -> frozenset[str]:
        """All identifiers in it. An ``OR`` counts as an ``AND``: no choice is made here."""
        words = self.expression.replace("(", " ").replace(")", " ").split()
        return frozenset(words) - _OPERATORS


def licence_of(distribution: Distribution, policy: Policy) -> Licence | None:
    """Its licence: what its metadata say clearly, else what the policy says was read; None if neither."""
    for text in _claims(distribution):
        try:
            expression = canonicalize_license_expression(policy.spellings.get(text, text))
        except InvalidLicenseExpression:
            continue
        return Licence(str(expression), declared=True)
    read = policy.read.get(canonicalize_name(distribution.name))
    return Licence(read, declared=False) if read else None


def _claims(distribution: Distribution) -> Iterator[str]:
    """From the clearest place to the vaguest: the expression, the text's title, one classifier alone."""
    metadata = distribution.metadata
    yield from metadata.get_all("License-Expression") or []
    yield from (text.strip().partition("\n")[0] for text in metadata.get_all("License") or [])
    classifiers = [text for text in metadata.get_all("Classifier") or [] if text.startswith("License :: ")]
    if len(classifiers) == 1:
        yield classifiers[0].rpartition(" :: ")[2]


def check_licences(
    distributions: Mapping[str, Distribution], locked: AbstractSet[str], policy: Policy
) -> list[str]:
    """Installed packages (by name) whose licence is unknown or not accepted, and entries that are idle.

    An entry for what is locked for other platforms alone cannot be judged here, so it is not called idle.
    """
    licences = {name: licence_of(found, policy) for name, found in distributions.items()}
    refused = {name: it for name, it in licences.items() if it and not it.identifiers <= policy.allowed}
    read = {name for name, it in licences.items() if it and not it.declared}
    idle = (policy.read.keys() - read) | (policy.exceptions.keys() - refused.keys())
    idle -= locked - distributions.keys()
    return [
        *(
            f"{name}: its metadata name no licence clearly; read its files, note it under licences.read"
            for name, it in licences.items()
            if it is None
        ),
        *(
            f"{name}: {it.expression} is not among licences.allowed"
            for name, it in refused.items()
            if name not in policy.exceptions
        ),
        *(f"{name}: its entry under licences in policy.toml is idle; remove it" for name in sorted(idle)),
    ]
