//! oxisock's native module: wiring only, every concept has a file of its own.

mod address;
#[cfg(messages)]
mod ancillary;
mod byteorder;
mod certificate;
mod constants;
mod engine;
mod files;
mod inet;
mod lookup;
mod python;
mod resolver;
mod selectors;
mod socket;
mod tls;
mod watch;

use oxisock_sys as sys;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyString, PyType};

use crate::python::error::exception;
use crate::python::make::Make;
use crate::python::method::{self, Fast};

type LateClass = (&'static str, fn(Python<'_>) -> PyResult<Bound<'_, PyType>>);

/// The classes that not every program needs: to make one takes 30 µs.
const LATE_CLASSES: &[LateClass] = &[
    ("BufferMethods", pyo3::class::<files::BufferMethods>),
    #[cfg(messages)]
    ("Datagram", pyo3::class::<socket::Datagram>),
    ("FileState", pyo3::class::<files::FileState>),
    ("Poll", pyo3::class::<selectors::poll::Poll>),
    ("RawMethods", pyo3::class::<files::RawMethods>),
    ("TLSSession", pyo3::class::<tls::TlsSession>),
    ("TextMethods", pyo3::class::<files::TextMethods>),
    ("TextReader", pyo3::class::<files::TextReader>),
    ("Watch", pyo3::class::<watch::Watch>),
    ("deadline", pyo3::class::<engine::DeadlineBlock>),
    #[cfg(linux)]
    ("LockSampler", pyo3::class::<watch::LockSampler>),
    #[cfg(linux)]
    ("epoll", pyo3::class::<selectors::epoll::Epoll>),
];

/// A list of functions as `wrap_pyfunction!` makes them for a module.
macro_rules! functions {
    ($($(#[$condition:meta])* $path:path),* $(,)?) => {
        &[$($(#[$condition])* |module| wrap_pyfunction!($path, module)),*]
    };
}

type MakeFunction = for<'a, 'py> fn(&'a Bound<'py, PyModule>) -> PyResult<Bound<'py, PyCFunction>>;

/// The functions. They are not exported by PyO3's attribute, which keeps a list ``__all__`` of them
/// and takes six times as many instructions for each.
const FUNCTIONS: &[MakeFunction] = functions![
    address::decode_address,
    address::encode_address,
    #[cfg(messages)]
    ancillary::cmsg_len,
    #[cfg(messages)]
    ancillary::cmsg_space,
    #[cfg(messages)]
    ancillary::decode_ancillary,
    #[cfg(messages)]
    ancillary::pack_ints,
    #[cfg(messages)]
    ancillary::unpack_ints,
    #[cfg(messages)]
    ancillary::encode_ancillary,
    #[cfg(linux)]
    ancillary::encode_ancillary_alg,
    byteorder::htonl,
    byteorder::htons,
    byteorder::ntohl,
    byteorder::ntohs,
    certificate::distinguished_names,
    constants::constant,
    constants::constants,
    constants::family_member,
    constants::kind_member,
    engine::counters,
    engine::deadline_left,
    engine::getbusypoll,
    engine::setbusypoll,
    engine::stats,
    engine::thread_waits,
    engine::tune,
    engine::yield_unavailable,
    files::open_raw,
    files::register_files,
    inet::inet_aton,
    inet::inet_ntoa,
    inet::inet_ntop,
    inet::inet_pton,
    lookup::getresolvertimeout,
    lookup::setresolvertimeout,
    python::attributes::complete,
    python::attributes::give_slots,
    python::attributes::make_lazy,
    python::attributes::namespace_of,
    python::attributes::without_annotations,
    python::late::held,
    python::late::load,
    resolver::getaddrinfo,
    resolver::gethostbyaddr,
    resolver::gethostbyname,
    resolver::gethostbyname_ex,
    resolver::gethostname,
    resolver::getifaddrs,
    resolver::getnameinfo,
    resolver::getprotobyname,
    resolver::getservbyname,
    resolver::getservbyport,
    resolver::if_indextoname,
    resolver::if_nameindex,
    resolver::if_nametoindex,
    #[cfg(unix)]
    resolver::sethostname,
    selectors::poll::poll,
    selectors::select::select,
    socket::close,
    socket::connect_host,
    socket::construct_with,
    socket::dup,
    #[cfg(windows)]
    socket::fromshare,
    socket::getconnectionattemptdelay,
    socket::getconnecttimeout,
    socket::getdefaultkeepalive,
    socket::getdefaulttimeout,
    socket::register_class,
    socket::setconnectionattemptdelay,
    socket::setconnecttimeout,
    socket::setdefaultkeepalive,
    socket::setdefaulttimeout,
    socket::socketpair,
    socket::write_unraisable,
    tls::tls_session,
    tls::tls_unavailable,
    module_attribute,
];

/// Look up a class that is made when it is first asked for, or a constant (PEP 562).
#[pyfunction]
#[pyo3(name = "__getattr__")]
fn module_attribute<'py>(
    py: Python<'py>,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    match LATE_CLASSES.iter().find(|(late, _)| name == late) {
        Some((_, class)) => Ok(class(py)?.into_any()),
        None => crate::constants::attribute(name)?.make(py),
    }
}

/// The native half of oxisock. Private: import ``oxisock`` instead.
#[pymodule(gil_used = false)]
mod _socket {
    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        // The statics here and of PyO3 hold objects of the interpreter that filled them, which go
        // with that one. The text is the one of interpreters that have a lock of their own.
        if !crate::python::thread::in_main_interpreter(module.py()) {
            return Err(exception::<pyo3::exceptions::PyImportError>(
                "module oxisock._socket does not support loading in subinterpreters",
            ));
        }
        let py = module.py();
        let names = module.dict();
        names.set_item("__version__", env!("CARGO_PKG_VERSION"))?;
        // Messages about its methods say `socket`, as those of the standard library do; the module has
        // another name for it than for the class made of it.
        names.set_item("Socket", pyo3::class::<crate::socket::Socket>(py)?)?;
        crate::python::late::hold(py)?;
        let functions: PyResult<Vec<_>> = FUNCTIONS.iter().map(|make| make(module)).collect();
        let entries: [&[Fast]; 4] = [
            &crate::byteorder::FAST,
            &crate::files::FAST,
            &crate::resolver::FAST,
            &crate::socket::FAST,
        ];
        method::add(module, &functions?, &entries)
    }
}
