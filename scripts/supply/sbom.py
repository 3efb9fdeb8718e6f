"""`make sbom`: a CycloneDX 1.6 bill of the materials that the service runs with, in build/sbom.cdx.json.

The same lock and platform give the same bytes: its serial number follows from what it lists, and it bears a
time only if SOURCE_DATE_EPOCH gives one.
"""

# The library's serialisation decorators hide the types of its classes from pyright.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportArgumentType=false

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import Distribution
from uuid import NAMESPACE_OID, uuid5

from cyclonedx.contrib.hash.factories import HashTypeFactory
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License, LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from scripts.supply.licences import Licence, licence_of
from scripts.supply.lock import ROOT, Pin, read_lock
from scripts.supply.policy import Policy, read_policy
from scripts.supply.project import Project, installed_distributions, needed, read_project

OUT = ROOT / "build" / "sbom.cdx.json"


def bill_of_materials(
    project: Project, pins: Sequence[Pin], distributions: Mapping[str, Distribution], policy: Policy
) -> str:
    """The bill as JSON: each runtime package with its hashes and licence, and what needs what.

    :raises KeyError: a package that is needed is not locked or not installed; `make audit` says which.
    """
    graph = needed(project.runtime, project.overrides)
    locked = {pin.name: pin for pin in pins}
    components = {name: _component(locked[name], licence_of(distributions[name], policy)) for name in graph}
    service = Component(
        type=ComponentType.APPLICATION,
        name=project.name,
        version=project.version,
        bom_ref=f"{project.name}@{project.version}",
    )
    bom = Bom(components=components.values())
    bom.metadata.component = service
    for name, needs in graph.items():
        bom.register_dependency(components[name], [components[need] for need in sorted(needs)])
    bom.register_dependency(service, [components[name] for name in sorted(project.asks_for & graph.keys())])
    _make_reproducible(bom)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _component(pin: Pin, licence: Licence | None) -> Component:
    purl = PackageURL("pypi", name=pin.name, version=pin.version)
    return Component(
        type=ComponentType.LIBRARY,
        name=pin.name,
        version=pin.version,
        bom_ref=str(purl),
        purl=purl,
        hashes=[HashTypeFactory().from_composite_str(digest) for digest in pin.hashes],
        licenses=[_stated(licence)] if licence else (),
    )


def _stated(licence: Licence) -> License:
    how = LicenseAcknowledgement.DECLARED if licence.declared else LicenseAcknowledgement.CONCLUDED
    return LicenseFactory().make_from_string(licence.expression, license_acknowledgement=how)


def _make_reproducible(bom: Bom) -> None:
    """Replaces what the library draws at random or from the clock; CycloneDX lets the time be absent."""
    refs = "\n".join(sorted(str(component.bom_ref.value) for component in bom.components))
    bom.serial_number = uuid5(NAMESPACE_OID, refs)
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    time = datetime.fromtimestamp(int(epoch), UTC) if epoch else None
    bom.metadata.timestamp = time


def main() -> None:
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(bill_of_materials(read_project(), read_lock(), installed_distributions(), read_policy()))
    print(f"wrote {OUT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
