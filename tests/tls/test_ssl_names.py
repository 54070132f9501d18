"""The distinguished names that `server()` and `issuer()` return."""

import datetime
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type as Kind
from cryptography.x509.oid import NameOID

import oxisock
from oxisock._socket import distinguished_names
from tests.helpers.process import needs
from tests.helpers.tls import DER, PEM, authority, name, serving_tls

KEY = ec.generate_private_key(ec.SECP256R1())

# Every attribute type that a standard or a widespread practice puts into names:
# X.520, RFC 4519, RFC 4524, RFC 2985, EV guidelines, ETSI EN 319 412, Russian qualified ones.
TYPES = [
    *(f"2.5.4.{n}" for n in (*range(3, 14), *range(15, 29), 31, 32, 33, 34, *range(41, 47))),
    *(f"2.5.4.{n}" for n in (49, 50, 51, 54, 65, 72, 97, 98, 99, 100)),
    *(f"0.9.2342.19200300.100.1.{n}" for n in (*range(1, 7), 8, 9, 10, 20, 21, 22, 25)),
    *(f"0.9.2342.19200300.100.1.{n}" for n in (*range(37, 46), 48)),
    *(f"1.2.840.113549.1.9.{n}" for n in (1, 2, 7, 8, 20)),
    *(f"1.3.6.1.4.1.311.60.2.1.{n}" for n in (1, 2, 3)),
    *("1.3.6.1.4.1.311.20.2.3", "1.2.643.100.1", "1.2.643.100.3", "1.2.643.100.5"),
    *("1.2.643.3.131.1.1", "1.2.3.4.5.6.7"),
]


def certificate(subject: x509.Name, issuer: x509.Name | None = None) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(KEY, hashes.SHA256())
    )


def line(*attributes: "x509.NameAttribute[Any]") -> str:
    der = certificate(x509.Name(attributes)).public_bytes(DER)
    return distinguished_names(der)[0]


def attribute(value: str | bytes, kind: Kind = Kind.UTF8String) -> "x509.NameAttribute[Any]":
    oid = NameOID.X500_UNIQUE_IDENTIFIER if isinstance(value, bytes) else NameOID.COMMON_NAME
    return x509.NameAttribute(oid, value, kind)


def replaced(kind: int, octets: bytes) -> str:
    """The line of a name whose only value is a string of any kind, well-formed or not."""
    marker = b"Z" * len(octets)
    der = certificate(x509.Name([attribute(marker.decode())])).public_bytes(DER)
    old, new = bytes([0x0C, len(octets)]) + marker, bytes([kind, len(octets)]) + octets
    assert der.count(old) == 2
    return distinguished_names(der.replace(old, new))[0]


@pytest.mark.parametrize("oid", TYPES)
def test_every_type_has_the_short_name_of_openssl(oid: str, tmp_path: Path) -> None:
    values = {"2.5.4.6": "US", "1.3.6.1.4.1.311.60.2.1.3": "US"}
    subject = name((x509.ObjectIdentifier(oid), values.get(oid, "value")))
    if oid == "2.5.4.45":  # a bit string by its definition
        subject = x509.Name(
            [x509.NameAttribute(x509.ObjectIdentifier(oid), b"\0a", Kind.BitString)]
        )
    file = tmp_path / "certificate.pem"
    file.write_bytes(certificate(subject).public_bytes(PEM))
    expected = subprocess.run(
        [needs("openssl"), "x509", "-in", file, "-noout", "-subject", "-nameopt", "compat"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.removeprefix("subject=")
    der = ssl.PEM_cert_to_DER_cert(file.read_text())
    ours = distinguished_names(der)[0]
    if oid == "2.5.4.45":
        assert ours == "/x500UniqueIdentifier=#03020061"
        assert expected.startswith("/x500UniqueIdentifier=")
    else:
        assert ours == expected.strip()


def test_the_example_of_the_older_editions() -> None:
    assert (
        line(
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "California"),
            x509.NameAttribute(NameOID.LOCALITY_NAME, "Mountain View"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "VeriSign, Inc."),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Production Services"),
            x509.NameAttribute(
                NameOID.ORGANIZATIONAL_UNIT_NAME, "Terms of use at www.verisign.com/rpa (c)00"
            ),
            x509.NameAttribute(NameOID.COMMON_NAME, "www.verisign.com"),
        )
        == "/C=US/ST=California/L=Mountain View/O=VeriSign, Inc./OU=Production Services"
        "/OU=Terms of use at www.verisign.com/rpa (c)00/CN=www.verisign.com"
    )


def test_subject_and_issuer_keep_their_places() -> None:
    subject = name((NameOID.COMMON_NAME, "subject"))
    issuer = name((NameOID.COMMON_NAME, "issuer"))
    der = certificate(subject, issuer).public_bytes(DER)
    assert distinguished_names(der) == ("/CN=subject", "/CN=issuer")
    der = certificate(subject, x509.Name([])).public_bytes(DER)
    assert distinguished_names(der) == ("/CN=subject", "")


def test_multi_valued() -> None:
    pair = [
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "b"),
        x509.NameAttribute(NameOID.COMMON_NAME, "a"),
    ]
    country = [x509.NameAttribute(NameOID.COUNTRY_NAME, "DE")]
    subject = x509.Name([x509.RelativeDistinguishedName(rdn) for rdn in (country, pair, country)])
    der = certificate(subject).public_bytes(DER)
    assert distinguished_names(der)[0] == "/C=DE/CN=a+OU=b/C=DE"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.UTF8String, "Größe 日本 🦀"),
        (Kind.BMPString, "Größe 日本"),
        (Kind.UniversalString, "Größe 日本 🦀"),
        (Kind.PrintableString, "Plain"),
        (Kind.IA5String, "mail@example.org"),
        (Kind.VisibleString, "Visible"),
        (Kind.NumericString, "12 34"),
    ],
)
def test_every_kind_of_string(kind: Kind, value: str) -> None:
    assert line(attribute(value, kind)) == f"/CN={value}"


@pytest.mark.parametrize(
    ("kind", "octets", "text"),
    [
        (0x14, "Größe".encode("latin-1"), "Größe"),  # TeletexString (T61String)
        (0x15, b"video", "video"),
        (0x19, "é".encode("latin-1"), "é"),  # GraphicString
        (0x1B, "é".encode("latin-1"), "é"),  # GeneralString
        (0x1E, "🦀".encode("utf-16-be"), "🦀"),  # BMPString with a pair of surrogates
        (0x13, "é".encode(), "é"),  # PrintableString that is none
        (0x16, "é".encode("latin-1"), "\\xE9"),  # IA5String that is none
        (0x0C, b"a\xffb", "a\\xFFb"),  # UTF8String that is none
        (0x1E, b"\xd8\x00\x00a", "\\xD8\\x00\\x00a"),  # BMPString with half a pair
        (0x1C, b"\x00\x11\x00\x00", "\\x00\\x11\\x00\\x00"),  # UniversalString out of range
        (0x1C, b"\x00\x00\x00", "\\x00\\x00\\x00"),  # UniversalString of a wrong length
        (0x02, b"\x01\x00", "#02020100"),  # INTEGER
        (0x04, b"abc", "#0403616263"),  # OCTET STRING
    ],
)
def test_strings_as_they_are_found(kind: int, octets: bytes, text: str) -> None:
    assert replaced(kind, octets) == f"/CN={text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a/b=c+d, e;f\"g'h<i>#", "a/b=c+d, e;f\"g'h<i>#"),
        (" padded ", " padded "),
        ("back\\slash \\x00", "back\\\\slash \\\\x00"),
        ("bank.example\0.evil.example", "bank.example\\x00.evil.example"),
        ("two\r\nlines\x7f\x85", "two\\x0D\\x0Alines\\x7F\\x85"),
        ("\u202egro.elpmaxe\u2028", "\\u202Egro.elpmaxe\\u2028"),
    ],
)
def test_what_is_escaped(value: str, text: str) -> None:
    assert line(attribute(value)) == f"/CN={text}"
    assert len(line(attribute(value)).splitlines()) == 1


@pytest.mark.parametrize(
    "octets", [b"", b"\0", b"not DER", b"0\x80" * 1000, b"\x30\x84\xff\xff\xff\xff"]
)
def test_no_certificate(octets: bytes) -> None:
    with pytest.raises(ValueError, match="certificate"):
        distinguished_names(octets)


def test_damaged_certificates_never_crash() -> None:
    der = certificate(name((NameOID.COMMON_NAME, "name"))).public_bytes(DER)
    for end in range(len(der)):
        with pytest.raises(ValueError, match="certificate"):
            distinguished_names(der[:end])
    for position in range(len(der)):
        damaged = bytearray(der)
        damaged[position] ^= 0xFF
        try:
            lines = distinguished_names(bytes(damaged))
        except ValueError:
            continue
        assert all(isinstance(text, str) for text in lines)


def test_through_a_session() -> None:
    subject = x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COUNTRY_NAME, "DE")]),
            x509.RelativeDistinguishedName(
                [
                    x509.NameAttribute(NameOID.COMMON_NAME, "münchen.example"),
                    x509.NameAttribute(NameOID.USER_ID, "42"),
                ]
            ),
            x509.RelativeDistinguishedName(
                [x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@example.org")]
            ),
        ]
    )
    server = authority().issue(subject)
    with serving_tls(lambda session: session.recv(1), server) as sock:
        with pytest.warns(oxisock.UnverifiedTLSWarning):
            session = oxisock.ssl(sock)
        assert session.server() == "/C=DE/UID=42+CN=münchen.example/emailAddress=a@example.org"
        assert session.server() == distinguished_names(server.der)[0]
        session.write(b"x")
