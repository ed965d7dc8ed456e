"""TLS and mTLS on the gRPC port (C4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hatchet_protocol.dispatcher import GetVersionResponse
from tests.unit.transports.fake_engine import Served, served

PATH = "/Dispatcher/GetVersion"


class Authority:
    """Signs certificates for localhost."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])
        self.pem = self._sign(self.name, self.key, authority=True)

    def issue(self) -> tuple[bytes, bytes]:
        """Key and certificate, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return pem, self._sign(name, key, authority=False)

    def _sign(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *, authority: bool) -> bytes:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        )
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> dict[str, Path]:
    key, certificate = authority.issue()
    contents = {"key": key, "certificate": certificate, "authority": authority.pem}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in contents}


async def version(line: Served, credentials: grpc.ChannelCredentials | None) -> str:
    """What a client with these credentials gets."""
    address = f"localhost:{line.port}"
    if credentials is None:
        channel = grpc.aio.insecure_channel(address)
    else:
        channel = grpc.aio.secure_channel(address, credentials)
    async with channel:
        raw = await channel.unary_unary(PATH)(b"", metadata=line.metadata, timeout=5)
        return GetVersionResponse.FromString(raw).version


async def test_c4_tls(authority: Authority, files: dict[str, Path]) -> None:
    async with served(tls_cert_file=files["certificate"], tls_key_file=files["key"]) as line:
        assert await version(line, grpc.ssl_channel_credentials(authority.pem)) == "v0.114.2"
        with pytest.raises(grpc.aio.AioRpcError):
            await version(line, None)
        with pytest.raises(grpc.aio.AioRpcError):
            await version(line, grpc.ssl_channel_credentials(Authority().pem))


async def test_c4_mtls(authority: Authority, files: dict[str, Path]) -> None:
    async with served(
        tls_cert_file=files["certificate"],
        tls_key_file=files["key"],
        tls_client_ca_file=files["authority"],
    ) as line:
        key, certificate = authority.issue()
        known = grpc.ssl_channel_credentials(authority.pem, key, certificate)
        assert await version(line, known) == "v0.114.2"
        with pytest.raises(grpc.aio.AioRpcError):
            await version(line, grpc.ssl_channel_credentials(authority.pem))
        key, certificate = Authority().issue()
        stranger = grpc.ssl_channel_credentials(authority.pem, key, certificate)
        with pytest.raises(grpc.aio.AioRpcError):
            await version(line, stranger)
