"""The OpenAPI 3.1 document, out of the descriptors with their comments. Used by `generate.py`.

Paths come from the `google.api.http` annotations, schemas from the messages (proto3's JSON mapping,
snake_case); the paths of OpenAI's and Anthropic's APIs are described by hand at the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

Schema = dict[str, Any]
_F = FieldDescriptorProto
_SCALARS: dict[int, Schema] = {
    _F.TYPE_STRING: {"type": "string"},
    _F.TYPE_BOOL: {"type": "boolean"},
    _F.TYPE_INT32: {"type": "integer", "format": "int32"},
    _F.TYPE_INT64: {"type": "string", "format": "int64"},
    _F.TYPE_DOUBLE: {"type": "number", "format": "double"},
    _F.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}
_WELL_KNOWN: dict[str, Schema] = {
    ".google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    ".google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    ".google.protobuf.Value": {},
    ".google.protobuf.FieldMask": {"type": "string", "description": "Comma-separated field names."},
}
_PACKAGE = ".voyager.llm.v1."


def document(descriptors: FileDescriptorSet) -> Schema:
    """The whole document."""
    files = [file for file in descriptors.file if file.package == "voyager.llm.v1"]
    comments = {key: text for file in files for key, text in _comments(file)}
    messages = {f"{_PACKAGE}{m.name}": m for file in files for m in file.message_type}
    schemas = {name.removeprefix(_PACKAGE): _message(name, m, comments) for name, m in messages.items()}
    schemas["Status"] = _STATUS
    paths: dict[str, Schema] = {}
    for file in files:
        for service in file.service:
            for method in service.method:
                for verb, path, operation in _operations(method, messages):
                    paths.setdefault(path, {})[verb] = operation
    paths.update(_FURTHER_PATHS)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Voyager LLM Services",
            "version": "1",
            "description": "Models, prompts, routes, evaluations and completions.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}],
    }


def _comments(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        text = " ".join(location.leading_comments.split())
        path = tuple(location.path)
        if not text or path[:1] != (4,):
            continue
        message = file.message_type[path[1]]
        if len(path) == 2:
            yield f"{_PACKAGE}{message.name}", text
        elif len(path) == 4 and path[2] == 2:
            yield f"{_PACKAGE}{message.name}.{message.field[path[3]].name}", text


def _message(name: str, message: DescriptorProto, comments: dict[str, str]) -> Schema:
    entries = {f"{name}.{nested.name}": nested for nested in message.nested_type}
    properties: dict[str, Schema] = {}
    for field in message.field:
        schema = _field(field, entries)
        if text := comments.get(f"{name}.{field.name}"):
            schema = {**schema, "description": text}
        properties[field.name] = schema
    result: Schema = {"type": "object", "properties": properties}
    if text := comments.get(name):
        result["description"] = text
    return result


def _field(field: FieldDescriptorProto, entries: dict[str, DescriptorProto]) -> Schema:
    if field.type_name in entries:
        value = entries[field.type_name].field[1]
        return {"type": "object", "additionalProperties": _single(value)}
    if field.label == _F.LABEL_REPEATED:
        return {"type": "array", "items": _single(field)}
    return _single(field)


def _single(field: FieldDescriptorProto) -> Schema:
    if field.type != _F.TYPE_MESSAGE:
        return dict(_SCALARS[field.type])
    if field.type_name in _WELL_KNOWN:
        return dict(_WELL_KNOWN[field.type_name])
    return {"$ref": f"#/components/schemas/{field.type_name.removeprefix(_PACKAGE)}"}


def _operations(
    method: MethodDescriptorProto, messages: dict[str, DescriptorProto]
) -> Iterator[tuple[str, str, Schema]]:
    rule = method.options.Extensions[annotations_pb2.http]  # pyright: ignore[reportArgumentType]
    verb = rule.WhichOneof("pattern")
    path: str = getattr(rule, verb)
    in_path = set(re.findall(r"{(\w+)}", path))
    request = messages[method.input_type]
    parameters: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in sorted(in_path)
    ]
    if rule.body != "*":
        parameters += [
            {"name": field.name, "in": "query", "schema": _single(field)}
            for field in request.field
            if field.name not in in_path and field.name != rule.body
        ]
    created = method.name.startswith("Create")
    answer = {"$ref": f"#/components/schemas/{method.output_type.removeprefix(_PACKAGE)}"}
    kind = "text/event-stream" if method.server_streaming else "application/json"
    operation: Schema = {
        "operationId": method.name,
        "tags": [path.split("/")[3].split(":", maxsplit=1)[0]],
        "parameters": parameters,
        "responses": {
            "201" if created else "200": {
                "description": "Created" if created else "OK",
                "content": {kind: {"schema": answer}},
            },
            "default": {
                "description": "Error",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Status"}}},
            },
        },
    }
    if rule.body:
        body = (
            {"$ref": f"#/components/schemas/{request.name}"}
            if rule.body == "*"
            else _single(next(field for field in request.field if field.name == rule.body))
        )
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    yield verb, path, operation


_STATUS: Schema = {
    "type": "object",
    "description": "An error (google.rpc.Status).",
    "properties": {
        "code": {"type": "integer", "description": "gRPC status code."},
        "message": {"type": "string"},
        "details": {
            "type": "array",
            "description": "google.rpc.ErrorInfo, BadRequest, RetryInfo and RequestInfo.",
            "items": {"type": "object", "additionalProperties": True},
        },
    },
}


_FREE: Schema = {"type": "object", "additionalProperties": True}
_JSON, _FORM, _BYTES = "application/json", "multipart/form-data", "application/octet-stream"


def _openai(
    summary: str,
    described: str = "As OpenAI's API. model names a model, a route, or prompt:NAME[@VERSION] "
    "with variables, each by its name or an alias.",
    *,
    of_one: bool = False,
    verb: str = "post",
    takes: str = _JSON,
    gives: str = _JSON,
) -> Schema:
    body: Schema = {}
    if takes:
        body["requestBody"] = {"required": True, "content": {takes: {"schema": _FREE}}}
    if of_one:
        body["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    content = _FREE if gives == _JSON else {"type": "string", "format": "binary"}
    return {
        verb: {
            "operationId": summary,
            "tags": ["openai"],
            "description": described,
            **body,
            "responses": {"200": {"description": "OK", "content": {gives: {"schema": content}}}},
        }
    }


def _anthropic(summary: str, description: str) -> Schema:
    described = _openai(summary)
    described["post"] |= {"tags": ["anthropic"], "description": f"As Anthropic's API. {description}"}
    return described


def _of_response(operation: str) -> Schema:
    return {
        "operationId": operation,
        "tags": ["openai"],
        "parameters": [{"name": "response_id", "in": "path", "required": True, "schema": {"type": "string"}}],
        "responses": {"200": {"description": "OK"}},
    }


_NAMED = "As OpenAI's API (docs/operations.md). model names a model or a route."
_OWNED = "As OpenAI's API (docs/operations.md): of the account at a model's provider."
_LISTED = "As OpenAI's API (docs/operations.md). The query says which model's account: model."


_FURTHER_PATHS: dict[str, Schema] = {
    "/v1/chat/completions": _openai("createChatCompletion"),
    "/v1/completions": _openai("createCompletion"),
    "/v1/embeddings": _openai("createEmbedding"),
    "/v1/responses": _openai("createResponse"),
    "/v1/responses/input_tokens": _openai("countInputTokens"),
    "/v1/responses/{response_id}": {
        "get": _of_response("getResponse"),
        "delete": _of_response("deleteResponse"),
    },
    "/v1/responses/{response_id}/input_items": {"get": _of_response("listInputItems")},
    "/v1/responses/{response_id}/cancel": {"post": _of_response("cancelResponse")},
    "/v1/moderations": _openai("createModeration", _NAMED),
    "/v1/rerank": _openai("rerank", "As Cohere's API (docs/operations.md). model names a model or a route."),
    "/v1/images/generations": _openai("createImage", _NAMED),
    "/v1/images/edits": _openai("createImageEdit", _NAMED, takes=_FORM),
    "/v1/images/variations": _openai("createImageVariation", _NAMED, takes=_FORM),
    "/v1/audio/speech": _openai("createSpeech", _NAMED, gives=_BYTES),
    "/v1/audio/transcriptions": _openai("createTranscription", _NAMED, takes=_FORM),
    "/v1/audio/translations": _openai("createTranslation", _NAMED, takes=_FORM),
    "/v1/files": {
        **_openai("createFile", _OWNED, takes=_FORM),
        **_openai("listFiles", _LISTED, verb="get", takes=""),
    },
    "/v1/files/{id}": {
        **_openai("retrieveFile", _OWNED, of_one=True, verb="get", takes=""),
        **_openai("deleteFile", _OWNED, of_one=True, verb="delete", takes=""),
    },
    "/v1/files/{id}/content": _openai(
        "downloadFile", _OWNED, of_one=True, verb="get", takes="", gives=_BYTES
    ),
    "/v1/batches": {
        **_openai("createBatch", _OWNED),
        **_openai("listBatches", _LISTED, verb="get", takes=""),
    },
    "/v1/batches/{id}": _openai("retrieveBatch", _OWNED, of_one=True, verb="get", takes=""),
    "/v1/batches/{id}/cancel": _openai("cancelBatch", _OWNED, of_one=True, takes=""),
    "/v1/messages": _anthropic(
        "createMessage", "model names a model, a route, or prompt:NAME[@VERSION] with variables."
    ),
    "/v1/messages/count_tokens": _anthropic(
        "countMessageTokens", "The header x-voyager-counted-by says who has counted: provider or estimate."
    ),
    "/v1/models": {
        "get": {
            "operationId": "listOpenAIModels",
            "tags": ["openai"],
            "responses": {"200": {"description": "OK"}},
        }
    },
}
