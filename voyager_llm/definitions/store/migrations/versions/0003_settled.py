"""What was accounted for once."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "settled",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("settled_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("settled")
