"""What was accounted for, in the definitions' database: once, whoever asks. Used by `config_hub.py`."""

from __future__ import annotations

import time

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from voyager_llm.definitions.store.database import Database
from voyager_llm.definitions.store.schema import SETTLED


class SettledNames:
    """`Settlements` over a SQLAlchemy URL. Raises `StoreUnavailable` when the database fails."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def settle(self, name: str) -> bool:
        try:
            async with self._database.writing() as connection:
                now = time.time_ns() // 1000
                await connection.execute(insert(SETTLED).values(name=name, settled_at=now))
        except IntegrityError:
            return False
        return True
