"""The health of every endpoint, as this replica sees it. One table a replica.

Health is of an address and an operation: a model that is defined anew at another address starts afresh, and
an operation that an endpoint does not have says nothing of the others. A call keeps the object on which it
started, so whatever is deleted or replaced meanwhile, it ends where it began. Read by `routing.py` and the
status board, fed by `attempt.py` and the prober.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.health import DEFAULT_POLICY, EndpointHealth, HealthPolicy
from voyager_llm.domain.operation import Operation
from voyager_llm.snapshot import RuntimeConfig

# Key and address.
_Place = tuple[str, str]


class EndpointTable:
    """Health by model, then by place and operation."""

    def __init__(self, policy: HealthPolicy = DEFAULT_POLICY) -> None:
        self._policy = policy
        self._models: dict[str, dict[tuple[_Place, Operation], EndpointHealth]] = {}

    def health(self, endpoint: Endpoint, operation: Operation) -> EndpointHealth:
        known = self._models.setdefault(endpoint.model, {})
        key = (_place(endpoint), operation)
        found = known.get(key)
        if found is None:
            found = known[key] = EndpointHealth(self._policy)
        return found

    def known(self, endpoint: Endpoint) -> list[EndpointHealth]:
        """What is known of an endpoint, by operation; perhaps nothing."""
        place = _place(endpoint)
        return [health for (at, _), health in self._models.get(endpoint.model, {}).items() if at == place]

    def follow(self, config: RuntimeConfig, changed: Iterable[str]) -> None:
        """Forget the endpoints that the ``changed`` models no longer have."""
        for name in changed:
            known = self._models.get(name)
            if known is None:
                continue
            model = config.models.get(name)
            places = (
                {_place(endpoint) for endpoint in model.endpoints} if model is not None else set[_Place]()
            )
            kept = {key: health for key, health in known.items() if key[0] in places}
            if kept:
                self._models[name] = kept
            else:
                del self._models[name]
        if len(self._models) > len(config.models):
            # A request that had pinned an older configuration asked for one that was gone.
            self._models = {name: kept for name, kept in self._models.items() if name in config.models}

    def __iter__(self) -> Iterator[tuple[str, Operation, EndpointHealth]]:
        """(endpoint's key, operation, health) of all that is known."""
        for known in self._models.values():
            for ((key, _), operation), health in known.items():
                yield key, operation, health


def _place(endpoint: Endpoint) -> _Place:
    return endpoint.key, endpoint.base_url
