"""What the doctor says of the certificate of the public address, against real TLS on loopback."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.doctor import address
from bot.web.health import live

DAY = datetime.timedelta(days=1)


def prove(nonce: str) -> str:
    return f"proof of {nonce}"


def certificate(folder: Path, *, days: int = 90, name: str = "127.0.0.1") -> Path:
    """One file with key and certificate, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    names: list[x509.GeneralName] = (
        [x509.IPAddress(ipaddress.ip_address(name))] if name[0].isdigit() else [x509.DNSName(name)]
    )
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 100 * DAY)
        .not_valid_after(now + days * DAY)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{days}-{name}.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@asynccontextmanager
async def proxy(path: Path) -> AsyncIterator[str]:
    """The bot behind TLS; its address."""
    app = web.Application()
    app.add_routes([live(prove)])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def trusting(path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(path))


async def test_a_certificate_that_is_trusted_leads_to_the_bot(tmp_path: Path) -> None:
    path = certificate(tmp_path)
    async with proxy(path) as url:
        found = await address.look(url, prove, served=True, trust=trusting(path))

    left = found.valid_until - datetime.datetime.now(datetime.UTC).timestamp()
    assert found.ours and not found.tls
    assert 89 < left / 86400 < 91


async def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    async with proxy(certificate(tmp_path)) as url:
        found = await address.look(url, prove, served=True)

    assert found.tls.startswith("self-signed certificate") and not found.ours


async def test_one_that_has_expired_is_refused(tmp_path: Path) -> None:
    path = certificate(tmp_path, days=-3)
    async with proxy(path) as url:
        found = await address.look(url, prove, served=True, trust=trusting(path))

    assert "expired" in found.tls


async def test_one_for_another_name_is_refused(tmp_path: Path) -> None:
    path = certificate(tmp_path, name="other.example.com")
    async with proxy(path) as url:
        found = await address.look(url, prove, served=True, trust=trusting(path))

    assert "127.0.0.1" in found.tls


async def test_a_port_that_speaks_no_tls_is_said(tmp_path: Path) -> None:
    app = web.Application()
    app.add_routes([live(prove)])
    async with TestServer(app) as plain:
        found = await address.look(f"https://127.0.0.1:{plain.port}", prove, served=True)

    assert found.tls and not found.ours


async def test_a_name_that_nobody_knows_is_told_in_the_systems_words_alone() -> None:
    found = await address.look("https://nowhere.invalid", prove, served=True)  # RFC 2606: a name that never is

    assert found.unresolved
    assert "Errno" not in found.unresolved
