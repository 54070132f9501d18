//! oxisock's native module: wiring only, every concept has a file of its own.

mod address;
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
use pyo3::types::{PyString, PyType};
use pyo3::{IntoPyObjectExt, PyTypeInfo};

type LateClass = (&'static str, fn(Python<'_>) -> Bound<'_, PyType>);

/// The classes that not every program needs: to make one takes 30 µs.
const LATE_CLASSES: &[LateClass] = &[
    ("BufferMethods", files::BufferMethods::type_object),
    ("Datagram", socket::Datagram::type_object),
    ("FileState", files::FileState::type_object),
    ("Poll", selectors::poll::Poll::type_object),
    ("RawMethods", files::RawMethods::type_object),
    ("TLSSession", tls::TlsSession::type_object),
    ("TextMethods", files::TextMethods::type_object),
    ("TextReader", files::TextReader::type_object),
    ("Watch", watch::Watch::type_object),
    ("deadline", engine::DeadlineBlock::type_object),
    #[cfg(linux)]
    ("LockSampler", watch::LockSampler::type_object),
    #[cfg(linux)]
    ("epoll", selectors::epoll::Epoll::type_object),
];

/// The native half of oxisock. Private: import ``oxisock`` instead.
#[pymodule(gil_used = false)]
mod _socket {
    use super::*;

    #[pymodule_export]
    use crate::address::{decode_address, encode_address};
    #[cfg(linux)]
    #[pymodule_export]
    use crate::ancillary::encode_ancillary_alg;
    #[pymodule_export]
    use crate::ancillary::{cmsg_len, cmsg_space, decode_ancillary, encode_ancillary};
    #[pymodule_export]
    use crate::byteorder::{htonl, htons, ntohl, ntohs};
    #[pymodule_export]
    use crate::certificate::distinguished_names;
    #[pymodule_export]
    use crate::constants::{constant, constants, family_member, kind_member};
    #[pymodule_export]
    use crate::engine::{
        counters, deadline_left, getbusypoll, setbusypoll, stats, thread_waits, tune,
        yield_unavailable,
    };
    #[pymodule_export]
    use crate::files::{open_raw, register_files};
    #[pymodule_export]
    use crate::inet::{inet_aton, inet_ntoa, inet_ntop, inet_pton};
    #[pymodule_export]
    use crate::lookup::{getresolvertimeout, setresolvertimeout};
    #[pymodule_export]
    use crate::python::attributes::{
        complete, give_slots, make_lazy, namespace_of, without_annotations,
    };
    #[pymodule_export]
    use crate::python::late::{held, module};
    #[pymodule_export]
    use crate::resolver::{
        getaddrinfo, gethostbyaddr, gethostbyname, gethostbyname_ex, gethostname, getifaddrs,
        getnameinfo, getprotobyname, getservbyname, getservbyport, if_indextoname, if_nameindex,
        if_nametoindex, sethostname,
    };
    #[pymodule_export]
    use crate::selectors::{poll::poll, select::select};
    #[pymodule_export]
    use crate::socket::{
        close, connect_host, construct_with, dup, getconnectionattemptdelay, getconnecttimeout,
        getdefaultkeepalive, getdefaulttimeout, register_class, setconnectionattemptdelay,
        setconnecttimeout, setdefaultkeepalive, setdefaulttimeout, socketpair, write_unraisable,
    };

    #[pymodule_export]
    use crate::tls::{tls_session, tls_unavailable};

    /// Look up a class that is made when it is first asked for, or a constant (PEP 562).
    #[pyfunction]
    fn __getattr__<'py>(
        py: Python<'py>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match LATE_CLASSES.iter().find(|(late, _)| name == late) {
            Some((_, class)) => Ok(class(py).into_any()),
            None => crate::constants::attribute(name)?.into_bound_py_any(py),
        }
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        // The statics here and of PyO3 hold objects of the interpreter that filled them, which go
        // with that one. The text is the one of interpreters that have a lock of their own.
        if !crate::python::thread::in_main_interpreter(module.py()) {
            return Err(pyo3::exceptions::PyImportError::new_err(
                "module oxisock._socket does not support loading in subinterpreters",
            ));
        }
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        // Messages about its methods say `socket`, as those of the standard library do; the module has
        // another name for it than for the class made of it.
        module.add("Socket", module.py().get_type::<crate::socket::Socket>())?;
        crate::python::late::hold(module.py())?;
        crate::python::method::swap(module, &crate::byteorder::FAST)?;
        crate::python::method::swap(module, &crate::resolver::FAST)?;
        crate::python::method::swap(module, &crate::files::FAST)?;
        crate::python::method::swap(module, &crate::socket::FAST)
    }
}
