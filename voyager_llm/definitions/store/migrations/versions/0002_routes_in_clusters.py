"""Routes stood in the database alone, until clusters had a resource for them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "unpublished",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(253), primary_key=True),
    )
    op.execute(
        "INSERT INTO unpublished (kind, name) SELECT kind, name FROM definitions "
        "WHERE kind = 'route' AND deleted = 0"
    )


def downgrade() -> None:
    op.drop_table("unpublished")
