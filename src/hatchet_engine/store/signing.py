"""The key pair that signs API tokens, and the text form of a token (JWT, ES256).

The pair is made when it is first needed and kept in the table ``setting``, so that the command
line can make tokens with no server running and all nodes accept each other's tokens.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Self

import asyncpg
import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hatchet_engine.store.sql import load

ALGORITHM = "ES256"
SETTING_NAME = "token_signing_key"

_SQL = load("tokens")


class InvalidToken(ValueError):
    """The text is no token of this installation."""


@dataclass(slots=True, frozen=True)
class SigningKey:
    id: str  # "kid" in the header of every token it signs
    private: ec.EllipticCurvePrivateKey
    public: ec.EllipticCurvePublicKey

    @classmethod
    def generate(cls) -> Self:
        private = ec.generate_private_key(ec.SECP256R1())
        return cls(secrets.token_hex(8), private, private.public_key())

    @classmethod
    def from_json(cls, text: str) -> Self:
        stored = orjson.loads(text)
        private = serialization.load_pem_private_key(stored["private_key"].encode(), None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise TypeError(f"setting {SETTING_NAME} holds a key of another kind than {ALGORITHM}")
        return cls(stored["kid"], private, private.public_key())

    def to_json(self) -> str:
        pem = self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        stored = {"kid": self.id, "algorithm": ALGORITHM, "private_key": pem.decode()}
        return orjson.dumps(stored).decode()

    def sign(self, claims: dict[str, Any]) -> str:
        """Unpadded base64url parts, as all SDKs read them (C1)."""
        return jwt.encode(claims, self.private, ALGORITHM, headers={"kid": self.id})

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token signed by this key; raises ``InvalidToken``.

        Times are left to the caller, who knows the engine's clock. Issuer, audience and addresses
        are not compared: they change with flags, and the key alone tells whose token it is.
        """
        options: Any = {
            "require": ["sub", "exp", "token_id"],
            "verify_exp": False,
            "verify_iat": False,
            "verify_nbf": False,
            "verify_aud": False,
            "verify_iss": False,
            "verify_sub": False,
            "verify_jti": False,
        }
        try:
            claims: dict[str, Any] = jwt.decode(token, self.public, [ALGORITHM], options)
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise InvalidToken(str(error)) from None
        return claims


async def signing_key(connection: asyncpg.Connection | asyncpg.Pool) -> SigningKey:
    """The installation's key; makes it when there is none yet."""
    text = await connection.fetchval(_SQL["setting_get"], SETTING_NAME)
    if text is None:
        fresh = SigningKey.generate().to_json()
        await connection.execute(_SQL["setting_insert"], SETTING_NAME, fresh)
        text = await connection.fetchval(_SQL["setting_get"], SETTING_NAME)
    return SigningKey.from_json(text)
