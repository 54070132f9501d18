//! The elements of an address tuple, read by position as the C types that the standard
//! library reads them as.

#![cfg_attr(
    not(linux),
    allow(dead_code, reason = "for families that Linux alone has")
)]

use std::ops::RangeInclusive;

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use super::Purpose;
use crate::python::args::{self, Unsigned};
use crate::python::error::{Error, Result};

/// An address tuple of the right length.
pub(super) struct Fields<'a, 'py> {
    tuple: &'a Bound<'py, PyTuple>,
    /// What the family wants, named in errors.
    form: String,
}

impl<'a, 'py> Fields<'a, 'py> {
    /// Takes a tuple with that number of elements for an address; `form` describes it in errors,
    /// as 'a pair (pid, groups)'.
    pub(super) fn new(
        purpose: Purpose<'_>,
        object: &'a Bound<'py, PyAny>,
        family: &str,
        form: &str,
        count: RangeInclusive<usize>,
    ) -> Result<Self> {
        let tuple = purpose.tuple(family, object)?;
        let fields = Fields {
            tuple,
            form: format!("{family} address must be {form}"),
        };
        if count.contains(&tuple.len()) {
            Ok(fields)
        } else {
            Err(fields.wrong_form())
        }
    }

    /// An unsigned number. Too large ones and negative ones are cut to their lower bits, and
    /// not refused, as the standard library does: -1 is the usual way to write VMADDR_CID_ANY.
    pub(super) fn masked<T: Unsigned>(&self, index: usize) -> Result<T> {
        Ok(args::masked(&self.tuple.get_item(index)?)?)
    }

    /// The same for an element that may be missing.
    pub(super) fn masked_or<T: Unsigned>(&self, index: usize, default: T) -> Result<T> {
        self.or(index, default, Self::masked)
    }

    /// A C `int`.
    pub(super) fn int(&self, index: usize) -> Result<i32> {
        Ok(args::int(&self.tuple.get_item(index)?)?)
    }

    /// The same for an element that may be missing.
    pub(super) fn int_or(&self, index: usize, default: i32) -> Result<i32> {
        self.or(index, default, Self::int)
    }

    /// Text without zeros, in UTF-8.
    pub(super) fn text(&self, index: usize) -> Result<String> {
        let item = self.tuple.get_item(index)?;
        let text = item.cast::<PyString>().map_err(|_| self.wrong_form())?;
        let text = text.to_str()?;
        if text.contains('\0') {
            return Err(Error::value_error("embedded null character"));
        }
        Ok(text.to_owned())
    }

    /// Text, bytes or a path, without zeros, in the encoding of the file system.
    pub(super) fn name(&self, index: usize) -> Result<Vec<u8>> {
        let bytes = args::file_system_bytes(&self.tuple.get_item(index)?)?;
        Ok(bytes.as_bytes().to_vec())
    }

    /// An element as it is, where there is one.
    pub(super) fn object(&self, index: usize) -> Option<Bound<'py, PyAny>> {
        self.tuple.get_item(index).ok()
    }

    fn or<T>(&self, index: usize, default: T, read: fn(&Self, usize) -> Result<T>) -> Result<T> {
        if index < self.tuple.len() {
            read(self, index)
        } else {
            Ok(default)
        }
    }

    fn wrong_form(&self) -> Error {
        Error::type_error(self.form.clone())
    }
}

/// What stands in a field of fixed size, up to the first zero.
pub(super) fn until_zero(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}
