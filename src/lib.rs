//! oxisock's native module: wiring only, every concept has a file of its own.

mod address;
mod args;
mod audit;
mod constants;
mod engine;
mod error;
#[cfg(linux)]
mod floor;
mod socket;
mod sys;

use pyo3::prelude::*;

/// The native half of oxisock. Private: import `oxisock` instead.
#[pymodule(gil_used = false)]
mod _socket {
    #[pymodule_export]
    use crate::constants::{__getattr__, constant, constants, family_member, kind_member};
    #[pymodule_export]
    use crate::engine::{counters, getbusypoll, setbusypoll, tune};
    #[cfg(linux)]
    #[pymodule_export]
    use crate::floor::floor;
    #[pymodule_export]
    use crate::socket::{
        Socket, close, dup, getdefaulttimeout, register_class, setdefaulttimeout, socketpair,
    };
}
