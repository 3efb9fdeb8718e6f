"""A service account of Google's, whose token comes from wherever a test says."""

from __future__ import annotations

import json
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


@cache
def _key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def google_account(token_url: str) -> str:
    """The account as the JSON that Google hands out."""
    return json.dumps(
        {
            "type": "service_account", "project_id": "p", "private_key_id": "1", "private_key": _key(),
            "client_email": "a@p.iam.gserviceaccount.com", "client_id": "1", "token_uri": token_url,
        }
    )  # fmt: skip
