//! Socket options: `getsockopt`, `setsockopt`.

use pyo3::exceptions::{PyOSError, PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::Socket;
use crate::python::args::{self, Given, Int};
use crate::python::buffer::BufferSlot;
use crate::python::error::{Error, Result};
use crate::sys::{self, BorrowedFd, Errno, option};

/// The largest option that can be read.
const LARGEST: i32 = 1024;

#[pymethods]
impl Socket {
    /// Read a socket option; getsockopt(2).
    ///
    /// Args:
    ///     level: the protocol level, ``SOL_*`` or ``IPPROTO_*``.
    ///     optname: the option's number.
    ///     buflen: the size in bytes of an option that is no integer, at most 1024.
    ///
    /// Returns:
    ///     An int, or with ``buflen`` the bytes that the system wrote.
    ///
    /// Raises:
    ///     OSError: there is no such option, ``buflen`` is out of range, or the socket is closed.
    #[pyo3(signature = (level, optname, buflen = Int(0), /), text_signature = "($self, level, optname, buflen=0, /)")]
    fn getsockopt<'py>(
        &self,
        py: Python<'py>,
        level: Int,
        optname: Int,
        buflen: Int,
    ) -> PyResult<Bound<'py, PyAny>> {
        if buflen.0 == 0 {
            return if self.has_wide_options() {
                let value: u64 = self.option(py, |fd| option::get(fd, level.0, optname.0))?;
                Ok(value.into_pyobject(py)?.into_any())
            } else {
                let mut value: i32 = self.option(py, |fd| option::get(fd, level.0, optname.0))?;
                if value == 0 && (level.0, optname.0) == (libc::SOL_SOCKET, libc::SO_ERROR) {
                    value = self.channel.take_deferred().map_or(0, Errno::number);
                }
                Ok(value.into_pyobject(py)?.into_any())
            };
        }
        if self.has_wide_options() || !(1..=LARGEST).contains(&buflen.0) {
            return Err(PyOSError::new_err("getsockopt buflen out of range"));
        }
        let mut buffer = [0; LARGEST as usize];
        let buffer = &mut buffer[..buflen.0 as usize];
        let len = self.option(py, |fd| option::get_bytes(fd, level.0, optname.0, buffer))?;
        Ok(PyBytes::new(py, &buffer[..len]).into_any())
    }

    /// Set a socket option; setsockopt(2).
    ///
    /// Args:
    ///     level: the protocol level, ``SOL_*`` or ``IPPROTO_*``.
    ///     optname: the option's number.
    ///     value: an int, a bytes-like object with the option's C structure, or None.
    ///     optlen: with None, the length that goes with the null pointer.
    ///
    /// Raises:
    ///     OSError: there is no such option, the value is refused, or the socket is closed.
    ///     TypeError: the value has another type, or None comes without a length.
    #[pyo3(
        signature = (level, optname, value, optlen = Given(None), /),
        text_signature = "($self, level, optname, value, optlen=None, /)"
    )]
    fn setsockopt(
        &self,
        level: Int,
        optname: Int,
        value: &Bound<'_, PyAny>,
        optlen: Given<'_>,
    ) -> PyResult<()> {
        let Some(optlen) = optlen.0 else {
            self.set_option(level.0, optname.0, value)?;
            if (level.0, optname.0) == (libc::SOL_SOCKET, libc::SO_RCVLOWAT) {
                self.traits.forget();
            }
            return Ok(());
        };
        if !value.is_none() {
            return Err(PyTypeError::new_err(
                "socket option should be None with a length",
            ));
        }
        let len = args::masked(&optlen)? as u32;
        Ok(self.option(value.py(), |fd| {
            option::set_length(fd, level.0, optname.0, len)
        })?)
    }
}

impl Socket {
    /// One getsockopt(2) or setsockopt(2), which wait for nobody.
    fn option<T>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(BorrowedFd<'_>) -> sys::Result<T>,
    ) -> Result<T> {
        Ok(self.channel.lend(py, call)??)
    }

    fn set_option(&self, level: i32, name: i32, value: &Bound<'_, PyAny>) -> Result<()> {
        let py = value.py();
        if value.is_none() {
            return Err(Error::type_error(
                "socket option should be integer or bytes-like object, None needs a length",
            ));
        }
        if self.has_wide_options()
            && let Ok(value) = value.extract::<u64>()
        {
            return self.option(py, |fd| option::put(fd, level, name, value));
        }
        match args::int(value) {
            Ok(value) => self.option(py, |fd| option::put(fd, level, name, value)),
            // An int that is too large is no option of either form.
            Err(error)
                if error.is_instance_of::<PyTypeError>(value.py())
                    || error.is_instance_of::<PyOverflowError>(value.py()) =>
            {
                let mut slot = BufferSlot::new();
                let value = slot.readable(value)?;
                self.option(py, |fd| option::set_bytes(fd, level, name, value.region()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The options of `AF_VSOCK` are 64 bits wide.
    fn has_wide_options(&self) -> bool {
        cfg!(linux) && self.family() == libc::AF_VSOCK
    }
}
