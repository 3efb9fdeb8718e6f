"""The Serve application: which stage runs where. `build` is also KubeRay's import path.

One setting, `VOYAGER_TOPOLOGY`, decides: `split` gives the renderer and the caller deployments of their
own, `fused` runs them inside the router's process. The evaluation pool and the config hub always stand
alone. Nothing dynamic is in here: definitions reach the replicas through the hub, so the application's
code hash never moves and no replica restarts (`docs/decisions/0004-config-hub.md`).
"""

from __future__ import annotations

from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig, RequestRouterConfig, gRPCOptions

from deployments.config_hub import ROUTER, ConfigHub
from deployments.evaluation_pool import EvaluationPool
from deployments.lanes.caller import ProviderCaller
from deployments.litellm_caller import LiteLLMCaller
from deployments.model_router import ModelRouter
from deployments.prompt_renderer import LocalRenderer, PromptRenderer
from voyager_llm.settings import Settings, settings

APP_NAME = "voyager"

# A replica mostly waits; a whole CPU each would keep a small machine from starting them all.
_SMALL: dict[str, Any] = {"num_cpus": 0.1}

# Serve hears of a death, and of nothing else, by asking. One that is held still is given up after three
# silences, as Ray's own processes are (`pulse.py`); Serve's defaults make 100 s of it.
_ASKED: dict[str, Any] = {"health_check_period_s": 1.0, "health_check_timeout_s": 5.0}

# Above the pipeline's own limit, which answers with a proper error; this one is the backstop.
_BACKSTOP = 1.25

GRPC_SERVICERS = [
    "voyager_llm.v1.model_manager_pb2_grpc.add_ModelManagerServicer_to_server",
    "grpc_health.v1.health_pb2_grpc.add_HealthServicer_to_server",
]


def build(_arguments: dict[str, str] | None = None) -> Application:
    """The application for this process' settings."""
    return build_application(settings())


def build_application(config: Settings) -> Application:
    """Bind the stages for a topology."""
    hub = _hub(config)
    scorer = _evaluation_pool(config)
    ongoing = int(config.max_ongoing_requests * _BACKSTOP)
    router = serve.deployment(
        name=ROUTER,
        num_replicas=config.router_replicas,
        # A request whose body is still to come has a place here and none in the pipeline.
        max_ongoing_requests=ongoing + config.max_connections,
        max_queued_requests=ongoing,
        graceful_shutdown_timeout_s=config.request_timeout_s,
        graceful_shutdown_wait_loop_s=0.2,
        ray_actor_options=_SMALL,
        **_ASKED,
    )(serve.ingress()(ModelRouter))
    if config.topology == "fused":
        return router.bind(hub, scorer, ProviderCaller, LocalRenderer)
    return router.bind(hub, scorer, _caller(config, ongoing), _renderer(config, ongoing))


def grpc_options(config: Settings) -> gRPCOptions:
    """Serve's own gRPC ingress, with reflection."""
    return gRPCOptions(port=config.grpc_port, grpc_servicer_functions=GRPC_SERVICERS, enable_reflection=True)


def _hub(config: Settings) -> Application:
    return serve.deployment(
        name="ConfigHub", num_replicas=1, max_ongoing_requests=1000, ray_actor_options=_SMALL, **_ASKED
    )(ConfigHub).bind(APP_NAME)


def _evaluation_pool(config: Settings) -> Application:
    return serve.deployment(
        name="EvaluationPool",
        max_ongoing_requests=4,
        ray_actor_options=_SMALL,
        autoscaling_config=AutoscalingConfig(min_replicas=1, max_replicas=4, target_ongoing_requests=2),
        **_ASKED,
    )(EvaluationPool).bind()


def _caller(config: Settings, ongoing: int) -> Application:
    return serve.deployment(
        name="LiteLLMCaller",
        max_ongoing_requests=ongoing,
        graceful_shutdown_timeout_s=config.request_timeout_s,
        ray_actor_options=_SMALL,
        autoscaling_config=AutoscalingConfig(
            min_replicas=config.caller_replicas,
            max_replicas=max(config.caller_replicas, config.max_caller_replicas),
            target_ongoing_requests=config.caller_target_ongoing,
            upscale_delay_s=config.caller_upscale_delay_s,
            downscale_delay_s=config.caller_downscale_delay_s,
        ),
        request_router_config=_announcing("LiteLLMCaller"),
        **_ASKED,
    )(LiteLLMCaller).bind(ongoing)


def _renderer(config: Settings, ongoing: int) -> Application:
    return serve.deployment(
        name="PromptRenderer",
        num_replicas=config.renderer_replicas,
        max_ongoing_requests=ongoing,
        ray_actor_options=_SMALL,
        request_router_config=_announcing("PromptRenderer"),
        **_ASKED,
    )(PromptRenderer).bind(ongoing)


def _announcing(deployment: str) -> RequestRouterConfig:
    """Routers hear which replicas of it run, so that they can call them directly (`deployments/hop/`)."""
    options: dict[str, Any] = {
        "request_router_class": "deployments.hop.announcer.AnnouncingRouter",
        "request_router_kwargs": {"deployment": deployment},
    }
    return RequestRouterConfig(**options)
