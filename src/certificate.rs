//! The names in an X.509 certificate, each as one line of text.
//!
//! Only `oxisock.ssl()` needs this: the interpreter's `ssl` module hands out
//! the names of a certificate only after verifying it.

use std::fmt::Write;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::python::error::exception;
use crate::python::make::Made;
use x509_parser::asn1_rs::{Any, BmpString, Oid, Tag, ToDer, UniversalString};
use x509_parser::certificate::X509CertificateParser;
use x509_parser::nom::Parser;
use x509_parser::x509::X509Name;

/// Return ``(subject, issuer)`` of a certificate as lines like ``/C=US/O=Example/CN=host``.
///
/// Each attribute is introduced by ``/`` and the short name that OpenSSL uses for its type, or
/// the dotted object identifier of any other type; further attributes of a multi-valued name
/// follow a ``+``. Text comes out as text, whichever of the ASN.1 string types holds it. Within
/// a value a backslash is doubled, control and text-direction characters become ``\xNN`` or
/// ``\uNNNN``, and bytes that are no text ``\xNN``; ``/``, ``=`` and ``+`` stand as they are. A
/// value of another type is ``#`` and its DER in hexadecimal digits (RFC 4514, section 2.4). An
/// empty name is an empty line.
///
/// Args:
///     der: the certificate in DER (X.509, RFC 5280).
///
/// Raises:
///     ValueError: the bytes are no certificate.
#[pyfunction]
pub(crate) fn distinguished_names(der: &[u8]) -> PyResult<Made<(String, String)>> {
    // Extensions are not looked into, so that an odd one does not hide the names.
    let (_, certificate) = X509CertificateParser::new()
        .with_deep_parse_extensions(false)
        .parse(der)
        .map_err(|error| exception::<PyValueError>(format!("not an X.509 certificate: {error}")))?;
    Ok(Made((
        line(certificate.subject()),
        line(certificate.issuer()),
    )))
}

fn line(name: &X509Name<'_>) -> String {
    let mut line = String::new();
    for relative in name.iter() {
        for (position, attribute) in relative.iter().enumerate() {
            line.push(if position == 0 { '/' } else { '+' });
            push_type(&mut line, attribute.attr_type());
            line.push('=');
            push_value(&mut line, attribute.attr_value());
        }
    }
    line
}

fn push_type(line: &mut String, oid: &Oid<'_>) {
    let dotted = oid.to_id_string();
    let known = SHORT_NAMES.iter().find(|(id, _)| *id == dotted);
    line.push_str(known.map_or(dotted.as_str(), |(_, name)| name));
}

fn push_value(line: &mut String, value: &Any<'_>) {
    match value.tag() {
        Tag::BmpString => match BmpString::try_from(value) {
            Ok(text) => push_text(line, text.as_ref()),
            Err(_) => push_bytes(line, value.data),
        },
        Tag::UniversalString => match UniversalString::try_from(value) {
            Ok(text) => push_text(line, text.as_ref()),
            Err(_) => push_bytes(line, value.data),
        },
        // Nominally a shifting character set; Latin-1 is what issuers put there.
        Tag::TeletexString | Tag::VideotexString | Tag::GraphicString | Tag::GeneralString => {
            let text: String = value.data.iter().copied().map(char::from).collect();
            push_text(line, &text);
        }
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::NumericString
        | Tag::Ia5String
        | Tag::VisibleString => push_bytes(line, value.data),
        _ => {
            line.push('#');
            for byte in value.to_der_vec_raw().unwrap_or_default() {
                let _ = write!(line, "{byte:02x}");
            }
        }
    }
}

/// Appends UTF-8, of which ASCII is a part, and escapes what is not.
fn push_bytes(line: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        push_text(line, chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(line, "\\x{byte:02X}");
        }
    }
}

/// Appends text so that it stays on one line and reads as it is stored.
fn push_text(line: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\\' => line.push_str("\\\\"),
            '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                let _ = write!(line, "\\u{:04X}", character as u32);
            }
            _ if character.is_control() => {
                let _ = write!(line, "\\x{:02X}", character as u32);
            }
            _ => line.push(character),
        }
    }
}

/// Attribute types of names and the short names that OpenSSL gives them
/// (X.520, RFC 4519, RFC 4524, RFC 2985, the CA/Browser Forum's EV guidelines, ETSI EN 319 412).
const SHORT_NAMES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.16", "postalAddress"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.18", "postOfficeBox"),
    ("2.5.4.19", "physicalDeliveryOfficeName"),
    ("2.5.4.20", "telephoneNumber"),
    ("2.5.4.21", "telexNumber"),
    ("2.5.4.22", "teletexTerminalIdentifier"),
    ("2.5.4.23", "facsimileTelephoneNumber"),
    ("2.5.4.24", "x121Address"),
    ("2.5.4.25", "internationaliSDNNumber"),
    ("2.5.4.26", "registeredAddress"),
    ("2.5.4.27", "destinationIndicator"),
    ("2.5.4.28", "preferredDeliveryMethod"),
    ("2.5.4.31", "member"),
    ("2.5.4.32", "owner"),
    ("2.5.4.33", "roleOccupant"),
    ("2.5.4.34", "seeAlso"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.45", "x500UniqueIdentifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.49", "distinguishedName"),
    ("2.5.4.50", "uniqueMember"),
    ("2.5.4.51", "houseIdentifier"),
    ("2.5.4.54", "dmdName"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.72", "role"),
    ("2.5.4.97", "organizationIdentifier"),
    ("2.5.4.98", "c3"),
    ("2.5.4.99", "n3"),
    ("2.5.4.100", "dnsName"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.2", "textEncodedORAddress"),
    ("0.9.2342.19200300.100.1.3", "mail"),
    ("0.9.2342.19200300.100.1.4", "info"),
    ("0.9.2342.19200300.100.1.5", "favouriteDrink"),
    ("0.9.2342.19200300.100.1.6", "roomNumber"),
    ("0.9.2342.19200300.100.1.8", "userClass"),
    ("0.9.2342.19200300.100.1.9", "host"),
    ("0.9.2342.19200300.100.1.10", "manager"),
    ("0.9.2342.19200300.100.1.20", "homeTelephoneNumber"),
    ("0.9.2342.19200300.100.1.21", "secretary"),
    ("0.9.2342.19200300.100.1.22", "otherMailbox"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.37", "associatedDomain"),
    ("0.9.2342.19200300.100.1.38", "associatedName"),
    ("0.9.2342.19200300.100.1.39", "homePostalAddress"),
    ("0.9.2342.19200300.100.1.40", "personalTitle"),
    ("0.9.2342.19200300.100.1.41", "mobileTelephoneNumber"),
    ("0.9.2342.19200300.100.1.42", "pagerTelephoneNumber"),
    ("0.9.2342.19200300.100.1.43", "friendlyCountryName"),
    ("0.9.2342.19200300.100.1.44", "uid"),
    ("0.9.2342.19200300.100.1.45", "organizationalStatus"),
    ("0.9.2342.19200300.100.1.48", "buildingName"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("1.2.840.113549.1.9.7", "challengePassword"),
    ("1.2.840.113549.1.9.8", "unstructuredAddress"),
    ("1.2.840.113549.1.9.20", "friendlyName"),
    ("1.3.6.1.4.1.311.60.2.1.1", "jurisdictionL"),
    ("1.3.6.1.4.1.311.60.2.1.2", "jurisdictionST"),
    ("1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC"),
    ("1.3.6.1.4.1.311.20.2.3", "msUPN"),
    ("1.2.643.100.1", "OGRN"),
    ("1.2.643.100.3", "SNILS"),
    ("1.2.643.100.5", "OGRNIP"),
    ("1.2.643.3.131.1.1", "INN"),
];
