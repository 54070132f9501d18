//! Socket options: `getsockopt`, `setsockopt`.

use pyo3::exceptions::{PyOSError, PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::Socket;
use crate::python::args::{self, Int};
use crate::python::buffer::BufferSlot;
use crate::python::error::{Error, Result, exception};
use crate::python::make::{self, Make};
use crate::python::method::{Arguments, discard};
use crate::python::version;
use crate::sys::{self, BorrowedFd, Errno, c, option};

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
                value.make(py)
            } else {
                let mut value: i32 = self.option(py, |fd| option::get(fd, level.0, optname.0))?;
                if value == 0 && (level.0, optname.0) == (c::SOL_SOCKET, c::SO_ERROR) {
                    value = self.channel.take_deferred().map_or(0, Errno::number);
                }
                value.make(py)
            };
        }
        if self.has_wide_options() || !(1..=LARGEST).contains(&buflen.0) {
            return Err(exception::<PyOSError>("getsockopt buflen out of range"));
        }
        let mut buffer = [0; LARGEST as usize];
        let buffer = &mut buffer[..buflen.0 as usize];
        let len = self.option(py, |fd| option::get_bytes(fd, level.0, optname.0, buffer))?;
        Ok(make::bytes(py, &buffer[..len])?.into_any())
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
        signature = (*arguments),
        text_signature = "($self, level, optname, value, optlen=None, /)"
    )]
    fn setsockopt(&self, arguments: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.set(arguments.py(), arguments.as_slice())
    }
}

fn only_with_none(value: &Bound<'_, PyAny>) -> PyResult<()> {
    if value.is_none() {
        Ok(())
    } else {
        Err(exception::<PyTypeError>(
            "setsockopt() only takes 4 arguments when the third argument is None",
        ))
    }
}

/// The error for an option that is neither an integer nor a buffer.
fn named(error: PyErr, value: &Bound<'_, PyAny>) -> PyErr {
    if !version::OPTION_BY_TYPE || !error.is_instance_of::<PyTypeError>(value.py()) {
        return error;
    }
    let (error, unused) = match value.get_type().name() {
        Ok(class) => {
            let message = "socket option should be int, bytes-like object or None";
            let named = exception::<PyTypeError>(format!("{message} (got {class})"));
            (named, error)
        }
        Err(unnamed) => (error, unnamed),
    };
    discard(value.py(), unused);
    error
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

    /// [`Socket::setsockopt`] without PyO3's way to it.
    pub(super) fn setsockopt_fast(
        slf: &Bound<'_, Self>,
        arguments: &Arguments<'_>,
    ) -> PyResult<()> {
        slf.get().set(slf.py(), arguments.as_slice())
    }

    fn set(&self, py: Python<'_>, arguments: &[Bound<'_, PyAny>]) -> PyResult<()> {
        let (level, optname, value, optlen) = match arguments {
            [level, optname, value] => (level, optname, value, None),
            [level, optname, value, optlen] => (level, optname, value, Some(optlen)),
            // Counted here for the standard library's words.
            _ => {
                let count = arguments.len();
                let bound = if count < 3 { "least 3" } else { "most 4" };
                return Err(exception::<PyTypeError>(format!(
                    "setsockopt() takes at {bound} arguments ({count} given)"
                )));
            }
        };
        let (level, optname) = (args::int(level)?, args::int(optname)?);
        let Some(optlen) = optlen else {
            self.set_option(level, optname, value)?;
            if (level, optname) == (c::SOL_SOCKET, c::SO_RCVLOWAT) {
                self.traits.forget();
            }
            return Ok(());
        };
        if !version::OPTION_BY_TYPE {
            only_with_none(value)?;
        }
        let len = args::masked(optlen)?;
        only_with_none(value)?;
        Ok(self.option(py, |fd| option::set_length(fd, level, optname, len))?)
    }

    fn set_option(&self, level: i32, name: i32, value: &Bound<'_, PyAny>) -> Result<()> {
        let py = value.py();
        if value.is_none() {
            return Err(Error::type_error(
                "setsockopt() requires 4 arguments when the third argument is None",
            ));
        }
        if self.has_wide_options() {
            match value.extract::<u64>() {
                Ok(value) => return self.option(py, |fd| option::put(fd, level, name, value)),
                Err(error) => discard(py, error),
            }
        }
        if args::is_index(value) {
            match args::int(value) {
                Ok(value) => return self.option(py, |fd| option::put(fd, level, name, value)),
                // An int that is too large is no option of either form.
                Err(error)
                    if error.is_instance_of::<PyTypeError>(py)
                        || error.is_instance_of::<PyOverflowError>(py)
                            && !version::OPTION_BY_TYPE =>
                {
                    discard(py, error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let mut slot = BufferSlot::new();
        let value = slot.readable(value).map_err(|error| named(error, value))?;
        self.option(py, |fd| option::set_bytes(fd, level, name, value.region()))
    }

    /// Whether its options are 64 bits wide, as those of `AF_VSOCK` are.
    fn has_wide_options(&self) -> bool {
        option::are_wide(self.family())
    }
}
