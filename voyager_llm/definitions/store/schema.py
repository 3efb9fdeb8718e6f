"""The tables. `migrations/` brings a database to them; times are microseconds since the epoch, UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text, text

METADATA = MetaData()

# One row a definition: which version is current.
DEFINITIONS = Table(
    "definitions",
    METADATA,
    Column("kind", String(16), primary_key=True),
    Column("name", String(253), primary_key=True),
    Column("id", String(36), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("deleted", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

# One row a version, never changed.
VERSIONS = Table(
    "definition_versions",
    METADATA,
    Column("kind", String(16), primary_key=True),
    Column("name", String(253), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("version", String(64), nullable=False),
    Column("document", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("author", String(253), nullable=False),
    Column("written_at", BigInteger, nullable=False),
)

# What was accounted for, so that nobody accounts for it again.
SETTLED = Table(
    "settled",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("settled_at", BigInteger, nullable=False),
)

# Definitions that stand here alone although clusters have a resource for their kind by now.
UNPUBLISHED = Table(
    "unpublished",
    METADATA,
    Column("kind", String(16), primary_key=True),
    Column("name", String(253), primary_key=True),
)

# A semantic version means one content for ever.
Index(
    "definition_versions_semantic",
    VERSIONS.c.kind,
    VERSIONS.c.name,
    VERSIONS.c.version,
    unique=True,
    sqlite_where=text("version <> ''"),
    postgresql_where=text("version <> ''"),
)
