//! oxisock's native module: wiring only, every concept has a file of its own.

mod address;
mod args;
mod error;
mod sys;

use pyo3::prelude::*;

/// The native half of oxisock. Private: import `oxisock` instead.
#[pymodule(gil_used = false)]
mod _socket {}
