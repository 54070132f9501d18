//! Every constant of the module: one table per concept, looked up by name.
//!
//! Nothing here runs at import: a Python program sees a constant the first time it asks for
//! one (`oxisock.__getattr__`), because inserting them all would cost more than the rest of
//! the import together.
//!
//! A name alone in a table takes its value from libc; a name with a value is missing there
//! and comes from the header that the comment above it names.

use crate::sys::c::c_long;
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::python::error::exception;
use crate::python::make::{self, Made, Make};
use crate::python::plain::Plain;

#[cfg(linux)]
mod alg;
#[cfg(linux)]
mod bluetooth;
#[cfg(bsd)]
mod bsd;
#[cfg(linux)]
mod can;
mod errors;
#[cfg(linux)]
mod errqueue;
#[cfg(linux)]
mod ethernet;
#[cfg(unix)]
mod families;
#[cfg(unix)]
mod inet;
#[cfg(unix)]
mod inet6;
mod members;
#[cfg(unix)]
mod messages;
#[cfg(linux)]
mod netlink;
#[cfg(unix)]
mod options;
#[cfg(linux)]
mod packet;
#[cfg(linux)]
mod qipcrtr;
#[cfg(linux)]
mod rds;
#[cfg(unix)]
mod resolver;
#[cfg(linux)]
mod sctp;
#[cfg(unix)]
mod tcp;
#[cfg(linux)]
mod tipc;
#[cfg(linux)]
mod tls;
#[cfg(linux)]
mod vsock;
#[cfg(linux)]
mod xdp;

pub(crate) use members::{family_member, kind_member};

/// Names and values. 64 bits hold every C type in use without a change of sign.
type Table = &'static [(&'static str, i64)];

/// `table! { NAME, OTHER = 3 }`: pairs of name and value, from libc where none is given.
macro_rules! table {
    ($($name:ident $(= $value:expr)?),* $(,)?) => {
        &[$((stringify!($name), table!(@value $name $($value)?))),*]
    };
    (@value $name:ident) => { crate::sys::c::$name as i64 };
    (@value $name:ident $value:expr) => { $value };
}
use table;

/// A 32-bit value that C code holds in network byte order.
#[cfg(linux)]
const fn be32(value: u32) -> i64 {
    value.to_be() as i64
}

static PUBLIC: &[&[Table]] = &[
    #[cfg(unix)]
    families::TABLES,
    #[cfg(unix)]
    messages::TABLES,
    #[cfg(unix)]
    options::TABLES,
    #[cfg(unix)]
    inet::TABLES,
    #[cfg(unix)]
    inet6::TABLES,
    #[cfg(unix)]
    tcp::TABLES,
    #[cfg(unix)]
    resolver::TABLES,
    #[cfg(linux)]
    errqueue::TABLES,
    #[cfg(linux)]
    tls::TABLES,
    #[cfg(linux)]
    sctp::TABLES,
    #[cfg(linux)]
    netlink::TABLES,
    #[cfg(linux)]
    packet::TABLES,
    #[cfg(linux)]
    ethernet::TABLES,
    #[cfg(linux)]
    xdp::TABLES,
    #[cfg(linux)]
    can::TABLES,
    #[cfg(linux)]
    alg::TABLES,
    #[cfg(linux)]
    vsock::TABLES,
    #[cfg(linux)]
    tipc::TABLES,
    #[cfg(linux)]
    qipcrtr::TABLES,
    #[cfg(linux)]
    rds::TABLES,
    #[cfg(linux)]
    bluetooth::TABLES,
    #[cfg(bsd)]
    bsd::TABLES,
    #[cfg(windows)]
    &[crate::sys::constants::TABLE],
];

/// The few constants that are no integers.
static OTHERS: &[(&str, Constant)] = &[
    // The address families are compiled in; whether the kernel routes IPv6 is another matter.
    ("has_ipv6", Constant::Bool(true)),
    #[cfg(linux)]
    ("BDADDR_ANY", Constant::Text(bluetooth::BDADDR_ANY)),
    #[cfg(linux)]
    ("BDADDR_LOCAL", Constant::Text(bluetooth::BDADDR_LOCAL)),
];

/// A constant in the Python type it has in the `socket` module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Constant {
    /// The standard library passes each through a C long: one of 32 bits makes -1 of 0xffffffff.
    Int(c_long),
    #[cfg_attr(not(linux), expect(dead_code))]
    Text(&'static str),
    Bool(bool),
}

impl<'py> Make<'py> for Constant {
    fn make(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Constant::Int(value) => value.make(py),
            Constant::Text(value) => value.make(py),
            Constant::Bool(value) => value.make(py),
        }
    }
}

fn integer(&(name, value): &(&'static str, i64)) -> (&'static str, Constant) {
    (name, Constant::Int(value as c_long))
}

fn public() -> impl Iterator<Item = (&'static str, Constant)> {
    let integers = PUBLIC.iter().copied().flatten().copied().flatten();
    integers.map(integer).chain(OTHERS.iter().copied())
}

/// The constant of that name, if this platform has it.
///
/// A scan, not a map: each name is asked for once, the facade keeps what it got, and a map
/// would have to be built first.
pub(crate) fn lookup(wanted: &str) -> Option<Constant> {
    let errors = errors::TABLES.iter().copied().flatten();
    public()
        .chain(errors.map(integer))
        .find_map(|(name, value)| (name == wanted).then_some(value))
}

/// Return the value of one constant, or None if this platform has none of that name.
#[pyfunction]
pub(crate) fn constant(name: &Bound<'_, PyString>) -> Made<Option<Constant>> {
    // A name with a lone surrogate has no UTF-8 form, and no constant has such a name.
    Made(name.to_str().ok().and_then(lookup))
}

/// A constant as an attribute of the native module.
pub(crate) fn attribute(name: &Bound<'_, PyString>) -> PyResult<Constant> {
    match constant(name).0 {
        Some(value) => Ok(value),
        None => Err(exception::<PyAttributeError>(format!(
            "module 'oxisock._socket' has no attribute {}",
            name.repr()?.to_cow()?
        ))),
    }
}

/// Return the public constants whose name starts with ``prefix``, in a new dict by name.
#[pyfunction]
#[pyo3(signature = (prefix = None), text_signature = "(prefix='')")]
pub(crate) fn constants<'py>(
    py: Python<'py>,
    prefix: Option<Plain<&str>>,
) -> PyResult<Bound<'py, PyDict>> {
    let prefix = prefix.map_or("", |prefix| prefix.0);
    let dict = make::dictionary(py)?;
    for (name, value) in public().filter(|(name, _)| name.starts_with(prefix)) {
        make::entry(&dict, name, value)?;
    }
    Ok(dict)
}
