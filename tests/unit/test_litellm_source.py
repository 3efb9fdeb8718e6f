"""A configuration is read safely, whatever the file holds, and faults are told with their line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from serve_app.commands.client import ServiceError
from serve_app.commands.litellm.notes import Notes
from serve_app.commands.litellm.source import MAX_BYTES, read
from serve_app.commands.litellm_config import import_file

ENTRY = "model_list:\n  - model_name: a\n    litellm_params: {model: openai/gpt-4o}\n"


def written(folder: Path, content: str | bytes, name: str = "config.yaml") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


BOMB = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 10)}]\n" for i in range(9)
)
MERGES = "a: &a {k: 1}\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} {{<<: [{','.join([f'*{chr(97 + i)}'] * 10)}]}}\n" for i in range(9)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must be a mapping"),
        ("- a\n- b\n", "must be a mapping"),
        ("just text", "must be a mapping"),
        ("litellm_settings: {}\n", "has no model_list"),
        ("model_list: []\n", "has no model_list"),
        ("model_list: text\n", "has no model_list"),
        ("model_list:\n\t- model_name: a\n", r"config.yaml:2: .*cannot start any token"),
        ("model_list: [\n", r"config.yaml:2: "),
        ("a: 1\n---\nb: 2\n", r"config.yaml:\d+: but found another document"),
        (b"model_list: \xff\xfe\xff", "is no YAML"),
        (b"model_list: \x00", "is no YAML"),
        ("model_list: !!python/object/apply:os.system [true]\n", "config.yaml:1: the tag"),
        (ENTRY + "x: !vault secret\n", "config.yaml:4: the tag '!vault'"),
        (BOMB, "aliases stand for more than"),
        (MERGES, "aliases stand for more than"),
        ("a: &a [*a]\n", "levels deep"),
        ("a: " + "[" * 20_000, "levels deep|config.yaml"),
        ("a: " + "{a: " * 150 + "1" + "}" * 150, "levels deep"),
        ("? [a, b]\n: 1\n", "a key must be a text"),
        (ENTRY + "x: {<<: 3}\n", "`<<` merges must be a mapping"),
        (b"a: " + b"x" * MAX_BYTES, "is larger than"),
    ],
)
def test_what_is_no_configuration_is_refused_with_a_reason(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(ServiceError, match=message):
        import_file(written(tmp_path, content), {}, ())


def test_an_error_never_repeats_the_line(tmp_path: Path) -> None:
    path = written(tmp_path, 'model_list:\n  - api_key: "sk-very-secret-0123456789\n    b: c\n')
    with pytest.raises(ServiceError) as refused:
        import_file(path, {}, ())
    assert "sk-very-secret" not in refused.value.message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, ENTRY.encode(encoding))
    assert [model["name"] for model in import_file(path, {}, ()).models] == ["a"]


def test_all_faulty_entries_are_told_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "model_list:\n  - model_name: a\n  - litellm_params: {model: b}\n"
        "  - {model_name: c, litellm_params: {api_key: d}}\n  - text\n",
    )
    with pytest.raises(ServiceError) as refused:
        import_file(path, {}, ())
    faults = refused.value.message.splitlines()
    assert [fault.split(":")[1] for fault in faults] == ["2", "3", "4", "5"]


def test_keys_that_stand_twice_are_noted(tmp_path: Path) -> None:
    notes = Notes()
    tree = read(written(tmp_path, "a: 1\nb: {c: 1, c: 2}\na: 3\n"), notes)
    assert tree.plain() == {"a": 3, "b": {"c": 2}}
    assert [note.place.line for note in notes.ordered()] == [2, 3]


def test_values_are_what_was_written(tmp_path: Path) -> None:
    tree = read(written(tmp_path, "v: 2024-06-01\nn: 1e400\nb: !!binary aGk=\nyes: on\n3: x\n"), Notes())
    assert tree.plain() == {"v": "2024-06-01", "n": "1e400", "b": "aGk=", "yes": True, "3": "x"}


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    )
)
def test_a_tree_holds_what_yaml_holds(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(yaml.safe_dump({"v": value}, allow_unicode=True))
    assert read(path, Notes()).plain() == yaml.safe_load(path.read_text())


def test_included_files_are_merged_as_litellm_merges_them(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    written(tmp_path, "include: [more/b.yaml]\nrouter_settings: {num_retries: 1}\n" + ENTRY)
    written(
        tmp_path / "more",
        "include: [c.yaml]\nrouter_settings: {timeout: 5}\n" + ENTRY.replace("a\n", "b\n"),
        "b.yaml",
    )
    written(tmp_path / "more", "include: [b.yaml]\n" + ENTRY.replace("a\n", "c\n"), "c.yaml")
    result = import_file(tmp_path / "config.yaml", {}, ())
    assert [model["name"] for model in result.models] == ["a", "b", "c"]
    assert "router_settings.num_retries" not in {row.given for row in result.mapped}


@pytest.mark.parametrize("name", ["../x.yaml", "/etc/hosts", "missing.yaml", "", "{a: b}"])
def test_no_other_file_is_included(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    written(tmp_path, ENTRY, "x.yaml")
    with pytest.raises(ServiceError, match="yaml:1: "):
        import_file(written(folder, f"include: [{name or repr('')}]\n{ENTRY}"), {}, ())


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x.yaml").symlink_to(written(tmp_path, ENTRY, "x.yaml"))
    with pytest.raises(ServiceError, match="outside"):
        import_file(written(folder, f"include: [x.yaml]\n{ENTRY}"), {}, ())
