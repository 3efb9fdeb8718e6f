"""The command line `voyager-llm`: parses arguments; what is done stands in `commands/`.

Exit codes: 0 success (`diff`: no difference), 1 the service refused or a difference was found, 2 wrong
usage, 3 no service can be reached. `up` has its own (`launch.py`), and `import-litellm` two more.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from serve_app.commands.apply import apply_all
from serve_app.commands.client import ServiceClient, ServiceError
from serve_app.commands.kinds import KINDS, kind_named
from serve_app.commands.litellm_config import exit_code, import_file, manifests_of, report, write_all
from serve_app.commands.manifests import read_manifests
from serve_app.commands.show import Format, difference, err, out, show_definitions, write_json
from serve_app.up import become_launcher
from voyager_llm.settings import Settings, unknown_variables

app = typer.Typer(
    name="voyager-llm",
    help="Models, prompts and evaluations in one place, and one broker for every LLM call.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Kind = Annotated[
    str, typer.Argument(help="model, prompt, route or evaluation", autocompletion=lambda: [*KINDS])
]
Name = Annotated[str, typer.Argument(help="Name of the definition.")]
Output = Annotated[Format, typer.Option("--output", "-o", help="How to print.")]
Files = Annotated[
    list[Path],
    typer.Option(
        "--file", "-f", help="Manifest, or folder of manifests; - is standard input.",
        exists=True, allow_dash=True,
    ),
]  # fmt: skip
Variables = Annotated[list[str] | None, typer.Option("--var", "-v", help="A variable, NAME=VALUE.")]

_connection = {"url": "http://127.0.0.1:8000", "key": ""}


@app.callback()
def connect(
    url: Annotated[str, typer.Option(envvar="VOYAGER_URL", help="The service.")] = "http://127.0.0.1:8000",
    key: Annotated[str, typer.Option(envvar="VOYAGER_CLIENT_KEY", help="API key.", show_default=False)] = "",
) -> None:
    """Say where the service is."""
    _connection.update(url=url.rstrip("/"), key=key)


@app.command()
def up(
    topology: Annotated[str | None, typer.Option(help="split or fused")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    http_port: Annotated[int | None, typer.Option(help="HTTP port.")] = None,
    grpc_port: Annotated[int | None, typer.Option(help="gRPC port.")] = None,
    embedded_llm: Annotated[
        bool, typer.Option(envvar="VOYAGER_EMBEDDED_LLM", help="Run the small model as `local`.")
    ] = True,
) -> None:
    """Run the service on this machine, in the foreground, until Ctrl-C."""
    _refuse_unknown_settings()
    given = {"TOPOLOGY": topology, "HOST": host, "HTTP_PORT": http_port, "GRPC_PORT": grpc_port}
    for name, value in given.items():
        if value is not None:
            os.environ[f"VOYAGER_{name}"] = str(value)
    os.environ["VOYAGER_EMBEDDED_LLM"] = "1" if embedded_llm else "0"
    try:
        settings = Settings()  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        for fault in error.errors():
            name = "_".join(str(part) for part in fault["loc"]).upper()
            why = fault["msg"].removeprefix("Value error, ")
            err.print(f"VOYAGER_{name}: {why}" if name else why)
        raise typer.Exit(2) from None
    try:
        become_launcher(settings)
    except OSError as error:
        err.print(f"cannot start: {error}")
        raise typer.Exit(2) from None


def _refuse_unknown_settings() -> None:
    """A setting that was misspelt would silently have no effect."""
    unknown = unknown_variables(os.environ)
    for name, meant in unknown.items():
        err.print(
            f"{name} is no setting: {f'did you mean {meant}?' if meant else 'unset it'}", soft_wrap=True
        )
    if unknown:
        raise typer.Exit(2)


@app.command()
def status() -> None:
    """Show whether the service is ready, and how its models fare."""
    client = _client()
    models = list(client.pages("/api/v1/models", "models"))
    out.print(f"{_connection['url']} is ready; {len(models)} models")
    show_definitions(KINDS["model"], models, Format.TABLE, one=False)


@app.command()
def apply(
    files: Files,
    dry_run: Annotated[bool, typer.Option(help="Say what would change, and change nothing.")] = False,
) -> None:
    """Create or update what manifests define (the Kubernetes YAML, unchanged): all of it, or nothing."""
    with err.status("reading manifests …"):
        manifests = read_manifests(files)
    if not manifests:
        raise ServiceError("there is no manifest in what was given")
    apply_all(_client(), manifests, dry_run=dry_run)


@app.command()
def get(
    kind: Kind,
    name: Annotated[str | None, typer.Argument(help="Name; without one, all.")] = None,
    output: Output = Format.TABLE,
    version: Annotated[str, typer.Option(help="Revision (prompts: version).")] = "",
) -> None:
    """Show definitions."""
    info = kind_named(kind)
    client = _client()
    if name:
        entries = [_version(client, info.name, name, version)]
    else:
        entries = list(client.pages(f"/api/v1/{info.plural}", info.plural))
    show_definitions(info, entries, output, one=bool(name))


@app.command()
def delete(kind: Kind, name: Name) -> None:
    """Delete a definition; its history stays."""
    info = kind_named(kind)
    _client().request("DELETE", f"/api/v1/{info.plural}/{name}")
    out.print(f"{info.name}/{name} deleted")


@app.command()
def diff(
    kind: Kind,
    name: Name,
    before: Annotated[str, typer.Argument(help="Revision (prompts: version).")],
    after: Annotated[str, typer.Argument(help="Revision; without one, the current.")] = "",
) -> None:
    """Show what changed between two versions. Exits with 1 when they differ."""
    info = kind_named(kind)
    client = _client()
    versions = (_version(client, info.name, name, before), _version(client, info.name, name, after))
    text = difference(info, *versions, (f"{name}@{before}", f"{name}@{after or 'current'}"))
    sys.stdout.write(text)
    if text:
        raise typer.Exit(1)


@app.command()
def rollback(
    kind: Kind, name: Name, to: Annotated[str, typer.Argument(help="Revision (prompts: version).")]
) -> None:
    """Make a new version with the content of an old one."""
    info = kind_named(kind)
    if info.name not in ("model", "prompt"):
        raise ServiceError("models and prompts can be rolled back; apply an older manifest for the others")
    body = {"version": to} if info.name == "prompt" else {"revision": _revision(to)}
    answer = _client().request("POST", f"/api/v1/{info.plural}/{name}/rollback", json=body)
    now = answer[info.name]
    which = f"version {now['version']}" if info.name == "prompt" else f"revision {now['revision']}"
    out.print(f"{info.name}/{name} is now {which}, with the content of {to}")


@app.command()
def render(
    prompt: Annotated[str, typer.Argument(help="NAME or NAME@VERSION")], var: Variables = None
) -> None:
    """Fill a prompt's variables in and print the text."""
    name, _, version = prompt.partition("@")
    body = {"version": version, "variables": _variables(var)}
    answer = _client().request("POST", f"/api/v1/prompts/{name}/render", json=body)
    sys.stdout.write(answer["rendered_prompt"] + "\n")


@app.command()
def complete(
    model: Annotated[str, typer.Argument(help="A model, a route, or prompt:NAME[@VERSION].")],
    prompt: Annotated[str | None, typer.Argument(help="The prompt; '-' reads standard input.")] = None,
    var: Variables = None,
    parameter: Annotated[list[str] | None, typer.Option("--param", "-p", help="NAME=VALUE")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Complete a prompt, printing the answer as it comes."""
    text = sys.stdin.read() if prompt == "-" else prompt or ""
    body: dict[str, Any] = {"prompt": text, "parameters": _variables(parameter), "variables": _variables(var)}
    client = _client()
    if output is not Format.TABLE:
        write_json(client.request("POST", f"/api/v1/models/{model}/completions", json=body))
        return
    for event in client.stream(f"/api/v1/models/{model}/completions:stream", body):
        sys.stdout.write(event.get("delta", ""))
        sys.stdout.flush()
        if "usage" in event:
            usage, metadata = event["usage"], event["metadata"]
            sys.stdout.write("\n")
            err.print(
                f"[dim]{metadata['model']} · {usage['input_tokens']} + {usage['output_tokens']} tokens · "
                f"{usage['total_cost']:.6f} · {metadata['completion_time_ms']} ms · "
                f"{metadata['attempts']} attempt(s)[/dim]"
            )


@app.command("import-litellm")
def import_litellm(
    config: Annotated[
        Path, typer.Argument(help="A LiteLLM proxy's config.yaml.", exists=True, dir_okay=False)
    ],
    dry_run: Annotated[
        bool, typer.Option(help="Print the definitions as JSON instead of applying them.")
    ] = False,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Write manifests to this folder instead of applying them.")
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option(help="What os.environ/NAME stands for, NAME=VALUE; never a secret.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="A model that clients reach by a wildcard of the file.")
    ] = None,
) -> None:
    """Turn a LiteLLM proxy's configuration into models and routes.

    The whole file is checked first. Exits with 0 when all of it has a counterpart, 2 when it is no
    configuration, 4 when settings have no counterpart, 5 when models were left out; notes say which and
    why."""
    try:
        imported = import_file(config, _variables(env), model or ())
    except ServiceError as error:
        err.print(f"error: {error.message}", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    report(imported, err if dry_run else out)
    if dry_run:
        write_json({"models": imported.models, "routes": imported.routes})
    elif out_dir is not None:
        for path in write_all(out_dir, imported):
            out.print(f"{path} written", markup=False, soft_wrap=True)
    else:
        apply_all(_client(), manifests_of(imported, str(config)))
    raise typer.Exit(exit_code(imported))


def main() -> None:
    """Entry point; turns errors into messages and exit codes."""
    try:
        app()
    except ServiceError as error:
        err.print(f"[red]error:[/red] {error.message}", soft_wrap=True)
        sys.exit(1 if error.status or "no service answers" not in error.message else 3)


def _client() -> ServiceClient:
    return ServiceClient(_connection["url"], _connection["key"])


def _version(client: ServiceClient, kind: str, name: str, version: str) -> dict[str, Any]:
    key, value = (
        ("version", version) if kind == "prompt" else ("revision", _revision(version) if version else 0)
    )
    return client.request("GET", f"/api/v1/{KINDS[kind].plural}/{name}", params={key: value})[kind]


def _revision(text: str) -> int:
    if not text.isdigit():
        raise ServiceError(f"{text!r} is no revision; `voyager-llm get` shows them")
    return int(text)


def _variables(given: list[str] | None) -> dict[str, str]:
    pairs = [entry.partition("=") for entry in given or ()]
    for name, separator, _ in pairs:
        if not separator or not name:
            raise ServiceError(f"{name!r} is not NAME=VALUE")
    return {name: value for name, _, value in pairs}


if __name__ == "__main__":
    main()
