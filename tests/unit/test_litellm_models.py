"""What an entry of `model_list` becomes: provider, address, key, parameters, limits, prices."""

from __future__ import annotations

from typing import Any

import pytest

from serve_app.commands.litellm.notes import Effect, Notes, Place
from serve_app.commands.litellm.source import node_of
from serve_app.commands.litellm.translate import translate
from serve_app.commands.litellm_config import exit_code
from tests.support.litellm_entries import of, one
from voyager_llm.domain.definition import parse
from voyager_llm.domain.model import ModelDefinition

# Providers


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("openai/gpt-4o", "openai", "gpt-4o"),
        ("gpt-4o", "openai", "gpt-4o"),
        ("claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"),
        ("gemini-2.5-pro", "vertex_ai", "gemini-2.5-pro"),
        ("text-embedding-3-small", "openai", "text-embedding-3-small"),
        ("gpt-3.5-turbo-instruct", "openai", "gpt-3.5-turbo-instruct"),
        ("ft:gpt-4o-2024-08-06:org::id", "openai", "ft:gpt-4o-2024-08-06:org::id"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "bedrock", "anthropic.claude-3-haiku-20240307-v1:0"),
        ("bedrock/converse/amazon.nova-pro-v1:0", "bedrock", "converse/amazon.nova-pro-v1:0"),
        ("openrouter/anthropic/claude-3.5-sonnet", "openrouter", "anthropic/claude-3.5-sonnet"),
        ("text-completion-openai/davinci-002", "openai", "davinci-002"),
        ("openai/responses/gpt-4o", "openai", "gpt-4o"),
        ("together_ai/meta-llama/Llama-3-70b", "together_ai", "meta-llama/Llama-3-70b"),
    ],
)
def test_a_name_goes_to_the_provider_that_litellm_takes_it_to(model: str, provider: str, name: str) -> None:
    made = one({"model": model})
    assert (made["provider"], made["model_name"]) == (provider, name)


@pytest.mark.parametrize(
    "model", ["llama3.1", "my-model", "foo/bar", "mistral-large", "claude", "github_copilot/x"]
)
def test_a_name_of_no_provider_is_left_out_and_its_key_goes_nowhere(model: str) -> None:
    result = of({"litellm_params": {"model": model, "api_key": "os.environ/OTHER_KEY"}})
    assert (result.models, result.routes) == ([], [])
    assert exit_code(result) == 5


def test_a_provider_beside_the_name_is_the_provider() -> None:
    assert one({"model": "llama3.1", "custom_llm_provider": "groq"})["provider"] == "groq"
    assert one({"model": "groq/llama3.1", "custom_llm_provider": "groq"})["model_name"] == "llama3.1"


def test_a_provider_that_speaks_openais_protocol_is_custom_at_its_address() -> None:
    made = one({"model": "publicai/apertus"})
    assert (made["provider"], made["endpoints"]) == ("custom", {"primary": "https://api.publicai.co/v1"})


@pytest.mark.parametrize(
    ("name", "base", "provider"),
    [
        ("gpt-4o", "https://api.openai.com/v1", "openai"),
        ("my-ft", "https://eu.api.openai.com/v1", "openai"),
        ("gpt-4o", "https://gateway.example.com/v1", "openai"),
        ("gpt-4o", "http://gateway.example.com/v1", "custom"),
        ("qwen", "https://vllm.example.com/v1", "custom"),
        ("qwen", "https://openai.com.example.com/v1", "custom"),
    ],
)
def test_openai_at_another_host_is_a_server_of_its_protocol(name: str, base: str, provider: str) -> None:
    assert one({"model": f"openai/{name}", "api_base": base})["provider"] == provider


@pytest.mark.parametrize("mode", ["image_generation", "rerank", "audio_transcription", "realtime"])
def test_what_no_api_here_offers_is_left_out(mode: str) -> None:
    assert of({"litellm_params": {"model": "openai/x"}, "model_info": {"mode": mode}}).models == []
    assert of({"litellm_params": {"model": "openai/whisper-1"}}).models == []


# Addresses


@pytest.mark.parametrize(
    "base",
    [
        "os.environ/UNKNOWN",
        "http://user:pw@host/v1",
        "http://169.254.169.254/",
        "not a url",
        "http://h/v1?key=sk",
        7,
    ],
)
def test_a_model_whose_address_is_none_is_left_out_instead_of_called_elsewhere(base: Any) -> None:
    result = of({"litellm_params": {"model": "openai/gpt-4o", "api_base": base, "api_key": "os.environ/K"}})
    assert result.models == []
    assert result.has(Effect.LEFT_OUT)
    assert "pw" not in str(result.notes)


def test_ollama_is_usable_where_it_says() -> None:
    made = one({"model": "ollama/llama3.1", "api_base": "http://localhost:11434"})
    assert made == {
        "name": "m0",
        "provider": "ollama",
        "model_name": "llama3.1",
        "endpoints": {"primary": "http://localhost:11434"},
    }


def test_azures_address_and_version_may_stand_in_one() -> None:
    base = "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21"
    made = one({"model": "azure/d", "api_base": base})
    assert made["endpoints"] == {"primary": "https://r.openai.azure.com"}
    assert made["parameters"]["extra"] == {"api_version": "2024-10-21"}


def test_variables_come_of_the_file_or_of_who_imports_and_are_no_secrets() -> None:
    config = {
        "environment_variables": {"BASE": "https://a.example/v1", "MY_API_KEY": "https://key.example"},
        "model_list": [
            {
                "model_name": name,
                "litellm_params": {"model": "openai/x", "api_base": f"os.environ/{variable}"},
            }
            for name, variable in (("a", "BASE"), ("b", "GIVEN"), ("c", "MY_API_KEY"), ("d", "MISSING"))
        ],
    }
    given = {"GIVEN": "https://b.example/v1", "BASE": "https://c.example/v1"}
    result = translate(node_of(config, Place("config", 0)), Notes(), given, ())
    bases = {model["name"]: model["endpoints"]["primary"] for model in result.models}
    assert bases == {"a": "https://c.example/v1", "b": "https://b.example/v1"}


# Keys


@pytest.mark.parametrize(
    ("params", "secret"),
    [
        ({"api_key": "os.environ/TEAM_KEY"}, "team-key"),
        ({"api_key": None}, "openai-api-key"),
        ({}, "openai-api-key"),
        ({"api_key": ""}, "openai-api-key"),
        ({"api_key": "sk-abcdefghijklmnop"}, "m0-key"),
        ({"model": "anthropic/claude-sonnet-4-5"}, "anthropic-api-key"),
        ({"model": "azure/x", "api_base": "https://x.openai.azure.com"}, "azure-api-key"),
    ],
)
def test_a_key_becomes_a_reference_to_a_secret(params: dict[str, Any], secret: str) -> None:
    result = of({"litellm_params": {"model": "openai/gpt-4o", **params}})
    assert result.models[0]["authentication"]["secret_ref"] == {"name": secret, "key": "api_key"}
    variable = f"VOYAGER_SECRET_{secret.upper().replace('-', '_')}__API_KEY"
    assert [note for note in result.notes if variable in note]
    assert "sk-abcdefghijklmnop" not in str((result.notes, result.mapped, result.models))
    assert exit_code(result) == 0


@pytest.mark.parametrize("key", ["none", "EMPTY", "dummy", None, ""])
def test_a_server_of_ones_own_may_ask_for_no_key(key: str | None) -> None:
    assert "authentication" not in one(
        {"model": "hosted_vllm/q", "api_base": "http://v:8000", "api_key": key}
    )


def test_one_key_is_one_secret_however_many_models_have_it() -> None:
    result = of(*({"litellm_params": {"model": "openai/gpt-4o", "api_key": "sk-shared-0123456789"}},) * 3)
    names = [model["authentication"]["secret_ref"]["name"] for model in result.models]
    assert set(names) == {"m0-key"}
    assert len([note for note in result.notes if "VOYAGER_SECRET" in note]) == 1


@pytest.mark.parametrize(
    "params",
    [
        {"api_key": "sk-abcdefghijklmnop", "user_id": "sk-abcdefghijklmnop"},
        {"api_key": "sk-abcdefghijklmnop", "extra_body": {"routing": {"a": ["sk-abcdefghijklmnop"]}}},
        {"extra_body": {"guided": {"password": "p"}}},
        {"extra_headers": {"Authorization": "Bearer sk-abcdefghijklmnop"}},
        {"aws_secret_access_key": "sk-abcdefghijklmnop", "model": "bedrock/amazon.nova-pro-v1:0"},
        {"api_key": "sk-abcdefghijklmnop", "api_base": "https://x.example/sk-abcdefghijklmnop/v1"},
    ],
)
def test_no_secret_is_copied_from_anywhere(params: dict[str, Any]) -> None:
    result = of({"litellm_params": {"model": "openai/gpt-4o", **params}})
    told = str((result.notes, result.mapped, result.models, result.routes))
    assert "sk-abcdefghijklmnop" not in told
    assert "'p'" not in told
    assert [note for note in result.remarks if note.effect is not Effect.DIFFERS]


def test_credentials_by_name_are_those_of_the_list() -> None:
    result = of(
        {"litellm_params": {"model": "azure/d", "litellm_credential_name": "prod"}},
        {"litellm_params": {"model": "openai/gpt-4o", "litellm_credential_name": "gone"}},
        credential_list=[
            {
                "credential_name": "prod",
                "credential_values": {"api_key": "os.environ/PROD", "api_base": "https://p.openai.azure.com"},
            }
        ],
    )
    assert result.models[0]["authentication"]["secret_ref"]["name"] == "prod"
    assert any("credential_list has no such entry" in note for note in result.notes)


# Parameters, limits, prices


@pytest.mark.parametrize(
    ("params", "parameters"),
    [
        (
            {"temperature": 0.5, "stop": "x", "max_tokens": "100"},
            {"temperature": 0.5, "stop": ["x"], "max_tokens": 100},
        ),
        ({"reasoning_effort": "high"}, {"extra": {"reasoning_effort": "high"}}),
        (
            {"extra_body": {"top_k": 5, "guided_json": {"a": 1}}},
            {"extra": {"top_k": 5, "guided_json": {"a": 1}}},
        ),
        (
            {"response_format": {"type": "json_object"}},
            {"extra": {"response_format": {"type": "json_object"}}},
        ),
        ({"allowed_openai_params": ["tools", "min_tokens"]}, {"allow": ["min_tokens"]}),
        ({"seed": None}, None),
    ],
)
def test_default_parameters_are_kept(params: dict[str, Any], parameters: dict[str, Any] | None) -> None:
    assert one(params).get("parameters") == parameters


@pytest.mark.parametrize(
    "params",
    [
        {"temperature": 3},
        {"temperature": "warm"},
        {"top_logprobs": 99},
        {"extra_body": "text"},
        {"extra_body": {"messages": []}},
        {"extra_body": {"api_base": "http://x"}},
        {"stream": True},
        {"max_tokens": "os.environ/MAX"},
        {"rpm": "os.environ/RPM"},
        {"rpm": "many"},
        {"tpm": -1},
        {"rpm": 0},
        {"rpm": True},
        {"rpm": 1.5},
        {"input_cost_per_token": "cheap"},
        {"input_cost_per_token": -1},
        {"input_cost_per_second": 0.1},
        {"tags": ["a"]},
        {"api_version": "2024"},
        {"cooldown_time": 5},
        {"allowed_openai_params": ["api_key"]},
    ],
)
def test_what_a_model_cannot_have_is_noted_and_the_model_imported(params: dict[str, Any]) -> None:
    result = of({"litellm_params": {"model": "openai/gpt-4o", **params}})
    parse(ModelDefinition, result.models[0])
    assert result.models[0].keys() == {"name", "provider", "model_name", "authentication"}
    assert [note for note in result.remarks if note.effect is Effect.LOST]
    assert exit_code(result) == 4


def test_limits_may_stand_in_three_places() -> None:
    (model,) = of(
        {"litellm_params": {"model": "openai/gpt-4o", "tpm": 5}, "model_info": {"rpm": 6}, "tpm": 7}
    ).models
    assert model["rate_limits"] == {"requests_per_minute": 6, "tokens_per_minute": 5}


def test_prices_are_kept_with_their_digits() -> None:
    made = one(
        {"input_cost_per_token": "3e-6", "cache_read_input_token_cost": 3e-07},
        output_cost_per_token=0.0000151,
        cache_creation_input_token_cost_above_1hr=6e-06,
    )
    cost = parse(ModelDefinition, made).cost
    assert cost is not None
    assert format(cost.input_token_cost, "f") == "0.000003"
    assert format(cost.output_token_cost, "f") == "0.0000151"
    assert str(cost.cached_input_token_cost) == "3E-7"
    assert str(cost.cache_write_1h_input_token_cost) == "0.000006"


def test_prices_that_are_the_lists_leave_its_tiers_in_force() -> None:
    listed = {"input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05,
              "input_cost_per_token_above_200k_tokens": 2.5e-06}  # fmt: skip
    result = of({"litellm_params": {"model": "gemini/gemini-2.5-pro"}, "model_info": listed})
    assert "cost" not in result.models[0]
    assert not result.has(Effect.LOST)
    other = of(
        {
            "litellm_params": {"model": "gemini/gemini-2.5-pro"},
            "model_info": {**listed, "input_cost_per_token": 1},
        }
    )
    assert other.models[0]["cost"] == {"input_token_cost": 1.0, "output_token_cost": 1e-05}
    assert any("above_200k" in note for note in other.notes)


def test_a_deployment_has_the_price_and_length_of_what_it_is_a_deployment_of() -> None:
    params = {"model": "azure/mine", "api_base": "https://x.openai.azure.com"}
    made = one(params, base_model="azure/gpt-4.1")
    assert made["cost"]["input_token_cost"] == 2e-06
    assert made["context_length"] == 1047576
    assert "cost" not in one(params, base_model="azure/nothing-such")


def test_what_is_known_of_a_model_is_kept() -> None:
    made = one(
        {}, max_input_tokens=1000, supports_vision=True, supports_pdf_input=True, supports_reasoning=False
    )
    assert made["context_length"] == 1000
    assert made["capabilities"] == ["pdf_input", "vision"]


def test_regions_and_projects_are_settings_of_the_call() -> None:
    made = one({"model": "vertex_ai/gemini-2.5-pro", "vertex_ai_project": "p", "vertex_location": "l"})
    assert made["parameters"]["extra"] == {"vertex_project": "p", "vertex_location": "l"}
    result = of({"litellm_params": {"model": "vertex_ai/gemini-2.5-pro", "vertex_project": "os.environ/P"}})
    assert result.models == []


def test_a_region_that_is_not_said_is_that_of_litellms_variable() -> None:
    params = {"model": "bedrock/amazon.nova-pro-v1:0"}
    result = of({"litellm_params": params}, environment_variables={"AWS_REGION": "eu-central-1"})
    assert result.models[0]["parameters"]["extra"] == {"aws_region_name": "eu-central-1"}
