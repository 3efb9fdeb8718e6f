"""`make gen`: protobuf code, descriptor set and OpenAPI document out of `proto/`, CRDs out of pydantic,
charts out of `kuberay/base/`.

The generated files are committed; CI runs this and expects a clean tree.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import google.api.annotations_pb2 as annotations
import orjson
import yaml
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

from scripts.charts import write_charts
from scripts.openapi import document
from voyager_llm.definitions.crd.resources import RESOURCES, custom_resource_definition

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
OUT = ROOT / "voyager_llm" / "v1"
CRDS = ROOT / "crds"
GOOGLE = Path(annotations.__file__).parents[2]
BUILTIN = Path(protoc.__file__).parent / "_proto"

_HEADER = '"""Protobuf and gRPC code, generated out of `proto/` by `make gen`; not to be edited."""\n'
_CRD_HEADER = "# Generated out of voyager_llm/definitions/crd/ by `make gen`; not to be edited.\n"


def main() -> int:
    sources = [str(path) for path in sorted(PROTO.rglob("*.proto"))]
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _protoc(f"--python_out={folder}", f"--pyi_out={folder}", f"--grpc_python_out={folder}", *sources)
        described = folder / "described.binpb"
        _protoc(f"--descriptor_set_out={described}", "--include_imports", "--include_source_info", *sources)
        descriptors = FileDescriptorSet.FromString(described.read_bytes())
        for path in sorted((folder / "voyager/llm/v1").iterdir()):
            # Only the service file has stubs worth keeping.
            if path.name.endswith("_pb2_grpc.py") and "model_manager" not in path.name:
                continue
            text = re.sub(r"\bvoyager\.llm\.v1 import", "voyager_llm.v1 import", path.read_text())
            # Serve's own proxy pickles a call's message, and so by the name of its module.
            text = re.sub(r"'voyager\.llm\.v1\.(\w+_pb2)'", r"'voyager_llm.v1.\1'", text)
            (OUT / path.name).write_text(text)
    (OUT / "__init__.py").write_text(_HEADER)
    openapi = orjson.dumps(document(descriptors), option=orjson.OPT_INDENT_2)
    (OUT / "openapi.json").write_bytes(openapi + b"\n")
    for file in descriptors.file:
        file.ClearField("source_code_info")
    (OUT / "descriptor.binpb").write_bytes(descriptors.SerializeToString(deterministic=True))
    _write_crds()
    write_charts()
    return 0


def _write_crds() -> None:
    CRDS.mkdir(exist_ok=True)
    for resource in RESOURCES:
        text = yaml.safe_dump(custom_resource_definition(resource), sort_keys=False, width=110)
        (CRDS / f"{resource.plural}.yaml").write_text(_CRD_HEADER + text)


def _protoc(*arguments: str) -> None:
    includes = [f"-I{PROTO}", f"-I{GOOGLE}", f"-I{BUILTIN}"]
    if protoc.main(["protoc", *includes, *arguments]) != 0:
        sys.exit("protoc failed")


if __name__ == "__main__":
    sys.exit(main())
