"""Definitions and their versions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "definitions",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(253), primary_key=True),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("deleted", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "definition_versions",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(253), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("author", sa.String(253), nullable=False),
        sa.Column("written_at", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "definition_versions_semantic",
        "definition_versions",
        ["kind", "name", "version"],
        unique=True,
        sqlite_where=sa.text("version <> ''"),
        postgresql_where=sa.text("version <> ''"),
    )


def downgrade() -> None:
    op.drop_table("definition_versions")
    op.drop_table("definitions")
