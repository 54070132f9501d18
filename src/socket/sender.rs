//! The sender of the last datagram, as the system writes its address and as the program sees it.
//!
//! Most datagrams come from the sender of the one before, and answers go back to where a question
//! came from: then the address is neither built nor parsed again.

use std::sync::Mutex;

use pyo3::prelude::*;

use super::Socket;
use crate::address;
use crate::python::error::Result;
use crate::sys::SockAddr;

/// One address in both forms.
struct Known {
    address: SockAddr,
    object: Py<PyAny>,
}

/// A socket's last sender. Boxed, as most sockets never have one.
///
/// Nobody waits for the lock, which another thread, or one that a fork has left behind, may hold:
/// without it the address is built as if it were new.
pub(super) struct LastSender(Mutex<Option<Box<Known>>>);

impl LastSender {
    pub(super) const fn none() -> Self {
        LastSender(Mutex::new(None))
    }

    fn object<'py>(&self, py: Python<'py>, address: &SockAddr) -> Option<Bound<'py, PyAny>> {
        let last = self.0.try_lock().ok()?;
        let known = last.as_ref().filter(|known| known.address == *address)?;
        Some(known.object.bind(py).clone())
    }

    fn address(&self, object: &Bound<'_, PyAny>) -> Option<SockAddr> {
        let last = self.0.try_lock().ok()?;
        let known = last.as_ref().filter(|known| object.is(&known.object))?;
        Some(known.address)
    }

    fn remember(&self, address: &SockAddr, object: &Bound<'_, PyAny>) {
        let Ok(mut last) = self.0.try_lock() else {
            return;
        };
        let object = object.clone().unbind();
        match &mut *last {
            Some(known) => {
                known.address = *address;
                known.object = object;
            }
            None => {
                *last = Some(Box::new(Known {
                    address: *address,
                    object,
                }));
            }
        }
    }
}

impl Socket {
    /// The address of a sender, as Python programs see it.
    pub(super) fn build_sender<'py>(
        &self,
        py: Python<'py>,
        address: &SockAddr,
    ) -> PyResult<Bound<'py, PyAny>> {
        if !address::is_lasting(address) {
            return self.build_address(py, address);
        }
        if let Some(object) = self.last_sender.object(py, address) {
            return Ok(object);
        }
        let object = self.build_address(py, address)?;
        self.last_sender.remember(address, &object);
        Ok(object)
    }

    /// The address to send to, as a caller of that method wrote it.
    pub(super) fn parse_receiver(
        &self,
        caller: &'static str,
        object: &Bound<'_, PyAny>,
    ) -> Result<SockAddr> {
        match self.last_sender.address(object) {
            Some(address) if address.family() == Some(self.family()) => Ok(address),
            _ => self.parse_address(caller, object),
        }
    }
}
