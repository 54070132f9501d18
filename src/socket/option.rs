//! Socket options: `getsockopt`, `setsockopt`.

use pyo3::exceptions::{PyOSError, PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::Socket;
use crate::python::args::{self, Given, Int};
use crate::python::buffer::BufferSlot;
use crate::python::error::{Error, Result};
use crate::sys::option;

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
            let fd = self.channel.enter()?;
            return if self.has_wide_options() {
                let value = option::get::<u64>(fd.fd(), level.0, optname.0).map_err(Error::from)?;
                Ok(value.into_pyobject(py)?.into_any())
            } else {
                let mut value: i32 =
                    option::get(fd.fd(), level.0, optname.0).map_err(Error::from)?;
                if value == 0 && (level.0, optname.0) == (libc::SOL_SOCKET, libc::SO_ERROR) {
                    value = self.channel.take_deferred().unwrap_or(0);
                }
                Ok(value.into_pyobject(py)?.into_any())
            };
        }
        if self.has_wide_options() || !(1..=LARGEST).contains(&buflen.0) {
            return Err(PyOSError::new_err("getsockopt buflen out of range"));
        }
        let mut buffer = [0; LARGEST as usize];
        let fd = self.channel.enter()?;
        let buffer = &mut buffer[..buflen.0 as usize];
        let len = option::get_bytes(fd.fd(), level.0, optname.0, buffer).map_err(Error::from)?;
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
        let file = self.channel.enter()?;
        option::set_length(file.fd(), level.0, optname.0, len).map_err(Error::from)?;
        Ok(())
    }
}

impl Socket {
    fn set_option(&self, level: i32, name: i32, value: &Bound<'_, PyAny>) -> Result<()> {
        if value.is_none() {
            return Err(Error::new::<PyTypeError, _>(
                "socket option should be integer or bytes-like object, None needs a length",
            ));
        }
        if self.has_wide_options()
            && let Ok(value) = value.extract::<u64>()
        {
            let file = self.channel.enter()?;
            return Ok(option::put(file.fd(), level, name, value)?);
        }
        match args::int(value) {
            Ok(value) => {
                let file = self.channel.enter()?;
                Ok(option::put(file.fd(), level, name, value)?)
            }
            // An int that is too large is no option of either form.
            Err(error)
                if error.is_instance_of::<PyTypeError>(value.py())
                    || error.is_instance_of::<PyOverflowError>(value.py()) =>
            {
                let mut slot = BufferSlot::new();
                let value = slot.readable(value)?;
                let file = self.channel.enter()?;
                Ok(option::set_bytes(file.fd(), level, name, value.region())?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The options of `AF_VSOCK` are 64 bits wide.
    fn has_wide_options(&self) -> bool {
        cfg!(linux) && self.family() == libc::AF_VSOCK
    }
}
