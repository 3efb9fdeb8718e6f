"""A request in a provider's own protocol, and its answer back, through LiteLLM's own adapters.

LiteLLM's adapters share a base class, but its `completion` does much around them for each provider. That
stands here, so that `adapter.py` reads the same for all; `tests/contract/test_differential.py` compares what
is sent with what `litellm.acompletion` sends. What is particular to one provider stands in `dialects.py`.
LiteLLM is untyped: its values are `Any` here and there, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

import httpx
import litellm.utils
from litellm.constants import DEFAULT_CHAT_COMPLETION_PARAM_VALUES
from litellm.types.utils import ModelResponse

from deployments.lanes.media import TEXT_ALONE, Media
from deployments.lanes.seclusion import secluded
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import PARAMETERS, may_be_allowed
from voyager_llm.errors import InvalidArgument

# LiteLLM looks a model's entry up several times a request, and merges its tables of Azure models anew each
# time: a third of what a translation costs. The tables never change in this process, so its function is
# replaced by itself with a memory, as LiteLLM does for callers of its own.
_look_up = litellm.utils.get_model_info_helper
litellm.utils.get_model_info_helper = lru_cache(maxsize=4096)(_look_up)


class NoLog:
    """Stands where LiteLLM's adapters want its logging object: they report prompts and keys to it."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.optional_params = parameters
        self.model_call_details: dict[str, Any] = {}
        self.litellm_params: dict[str, Any] = {}

    def post_call(self, *args: Any, **kwargs: Any) -> None:
        """Say nothing."""

    pre_call = post_call


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request in the provider's own protocol, and what its answer is read with."""

    url: str
    # Names in lower case.
    headers: dict[str, str]
    body: dict[str, Any]
    # OpenAI parameters after LiteLLM mapped them; its response parsers want them again.
    parameters: dict[str, Any]
    # Whether the answer is the call of a tool that LiteLLM has added for `response_format`.
    json_mode: bool = False
    # What LiteLLM's adapter notes down for the answer, such as names that it has rewritten.
    notes: dict[str, Any] = field(default_factory=dict[str, Any])


# LiteLLM wants the request that an answer belongs to, and reads nothing of it.
_REQUEST = httpx.Request("POST", "http://provider.invalid")
_SAID_OTHERWISE = frozenset({"model", "stream", "stream_options"})
# Parameters that mean nothing elsewhere than where they are known; sent along, providers refuse the request.
_KNOWN_ELSEWHERE = frozenset(
    name for name, parameter in PARAMETERS[Operation.CHAT].items() if parameter.is_standard
) | frozenset(cast("Mapping[str, Any]", DEFAULT_CHAT_COMPLETION_PARAM_VALUES))


class Dialect:
    """A provider that LiteLLM's common adapter interface covers."""

    # Of the events of a stream: server-sent events, or one JSON object a line.
    json_lines = False
    streams = False

    def __init__(self, config: Any, media: Media = TEXT_ALONE) -> None:
        self._config = config
        self.media = media
        # LiteLLM looks the model up in its tables each time; the answer never changes.
        self._supported = lru_cache(maxsize=1)(self._look_up_supported)

    def _look_up_supported(self, model: str) -> frozenset[str]:
        return frozenset(self._config.get_supported_openai_params(model=model) or ())

    def outgoing(self, model: str, base: str, key: str, body: dict[str, Any], stream: bool) -> Outgoing:
        """Translate a prepared OpenAI body. Raises `InvalidArgument`, and any of LiteLLM's exceptions."""
        with secluded():
            return self._translated(model, base, key, body, stream)

    def _translated(self, model: str, base: str, key: str, body: dict[str, Any], stream: bool) -> Outgoing:
        messages = body.pop("messages")
        parameters = self._parameters(model, body)
        json_mode = bool(parameters.pop("json_mode", False))
        extra = parameters.pop("extra_body", None)
        notes: dict[str, Any] = {}
        headers = self._config.validate_environment(
            headers={}, model=model, messages=messages, optional_params=parameters,
            litellm_params=notes, api_key=key or "none", api_base=base or None,
        )  # fmt: skip
        url = self._config.get_complete_url(
            api_base=base or None, api_key=key or "none", model=model, optional_params=parameters,
            litellm_params=notes, stream=stream,
        )  # fmt: skip
        if stream and self._config.supports_stream_param_in_request_body:
            parameters["stream"] = True
        translated = self._config.transform_request(
            model=model, messages=messages, optional_params=dict(parameters), litellm_params=notes,
            headers=headers,
        )  # fmt: skip
        if extra:
            translated |= self._config.transform_extra_body(extra, translated, model, notes)
        named = {name.lower(): value for name, value in headers.items()}
        return Outgoing(url, named, translated, parameters, json_mode, notes)

    def answer(self, model: str, request: Outgoing, body: bytes) -> Any:
        """A whole answer in LiteLLM's form. Raises any of LiteLLM's exceptions."""
        with secluded():
            return self._config.transform_response(
                model=model,
                raw_response=httpx.Response(200, content=body, request=_REQUEST),
                model_response=ModelResponse(),
                logging_obj=NoLog(request.parameters),
                request_data=request.body,
                messages=[],
                optional_params=request.parameters,
                litellm_params=request.notes,
                encoding=None,
                json_mode=request.json_mode,
            )

    def events(self, request: Outgoing) -> Any:
        """A parser whose ``chunk_parser`` turns one event into an OpenAI chunk, LiteLLM's or plain data."""
        raise NotImplementedError

    def finish(self, document: dict[str, Any], index: int, read: str | None) -> str | None:
        """Why choice ``index`` of an answer or an event ended, where LiteLLM has ``read`` something."""
        return read

    def blocks(self, document: dict[str, Any]) -> bool:
        """Whether an answer or an event says, instead of anything else, that the prompt is blocked."""
        return False

    def _parameters(self, model: str, body: dict[str, Any]) -> dict[str, Any]:
        """OpenAI's parameters as the provider's; those that it lacks are dropped, and the provider's own
        and what the model allows pass under their own names.

        Raises `InvalidArgument` for what may not be dropped: the answer would be another."""
        supported = self._supported(model)
        if (body.get("n") or 1) > 1 and "n" not in supported:
            raise InvalidArgument("this model's provider gives one choice an answer", "n")
        known = {
            name: value
            for name, value in body.items()
            if name in supported and name not in _SAID_OTHERWISE and value is not None
        }
        mapped: dict[str, Any] = self._config.map_openai_params(
            non_default_params=known, optional_params={}, model=model, drop_params=True
        )
        own = {
            name: value
            for name, value in body.items()
            if name not in supported and name not in _KNOWN_ELSEWHERE and may_be_allowed(name)
        }
        return {**mapped, **own}
