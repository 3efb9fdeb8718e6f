"""Stores for tests of what goes wrong with them."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from voyager_llm.definitions.store.sql import SqlStore
from voyager_llm.domain.definition import Kind, canonical, digest, document
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.record import Draft


def draft(name: str) -> Draft:
    definition = ModelDefinition(name=name, provider="openai", model_name="m")
    return Draft(Kind.MODEL, name, "", document(definition), digest(canonical(definition)), "ada")


def url_of(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


def with_one_model(file: Path) -> None:
    async def write() -> None:
        store = SqlStore(url_of(file))
        await store.open()
        await store.create(draft("kept"))
        await store.close()

    asyncio.run(write())


def changed(file: Path, *statements: str) -> None:
    """Another hand in the database."""
    with closing(sqlite3.connect(file)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
