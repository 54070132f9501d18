//! oxisock's native module: wiring only, every concept has a file of its own.

use pyo3::prelude::*;

mod constants;

/// The native half of oxisock. Private: import `oxisock` instead.
#[pymodule(gil_used = false)]
mod _socket {
    #[pymodule_export]
    use crate::constants::{constant, constants, family_member, kind_member};
}
