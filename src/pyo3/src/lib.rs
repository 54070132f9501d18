//! PyO3, with another way of taking a call's arguments.
//!
//! PyO3 makes its errors about them only when they are raised, where it panics if there is no
//! memory for their text: that ends the process. Its macros name all that they use by the path
//! `pyo3`, so this crate has that name and puts its own into one place of it: here these errors
//! are made at once, and a conversion that makes one late does not compile.

pub use original::*;

mod argument;
mod classes;
mod description;
mod error;
mod rest;

pub use classes::{class, object};
pub use error::{Raised, Refusal};

#[doc(hidden)]
pub mod impl_ {
    pub use original::impl_::*;

    pub mod extract_argument {
        pub use original::impl_::extract_argument::*;

        pub use crate::argument::{
            extract_argument, extract_argument_with_default, extract_required_argument,
        };
        pub use crate::description::FunctionDescription;
        pub use crate::rest::{DictVarkeywords, NoVarargs, NoVarkeywords, TupleVarargs};
    }
}
