"""What an API token says about itself: tenant and addresses. Nothing is verified here."""

import base64
import binascii
import json
from typing import NamedTuple


class TokenClaims(NamedTuple):
    tenant_id: str
    server_url: str
    grpc_broadcast_address: str


def read_claims(token: str) -> TokenClaims:
    """Claims of a JWT. Raises `ValueError` with a text that names what is wrong."""
    if not token.startswith("ey"):
        raise ValueError(
            "HATCHET_CLIENT_TOKEN is not a token: it must start with 'ey' "
            f"(it starts with {token[:5]!r}). `hatchet token create` prints one."
        )
    parts = token.split(".")
    if len(parts) != 3:
        raise ValueError(
            f"HATCHET_CLIENT_TOKEN must have 3 parts with dots between, not {len(parts)}"
        )
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error) as error:
        raise ValueError("HATCHET_CLIENT_TOKEN cannot be decoded: was it cut off?") from error
    values = []
    for claim in ("sub", "server_url", "grpc_broadcast_address"):
        value = payload.get(claim) if isinstance(payload, dict) else None
        if not isinstance(value, str):
            raise ValueError(f"HATCHET_CLIENT_TOKEN lacks the claim {claim!r}")
        values.append(value)
    return TokenClaims(*values)
