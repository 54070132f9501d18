//! Multicast: memberships in groups, and the numeric hosts and interfaces that callers name.

use std::net::IpAddr;

use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString};

use super::Socket;
use crate::engine::{self, Channel};
use crate::python::args;
use crate::python::error::{Error, Result, about};
use crate::python::make;
use crate::sys::{Errno, c, interface, multicast};

/// A host in numbers, as a caller wrote it, and the scope behind it ('%eth0').
pub(super) fn numeric_host(
    object: &Bound<'_, PyAny>,
    caller: &str,
    argument: &str,
) -> Result<(IpAddr, Option<String>)> {
    let Ok(text) = object.cast::<PyString>() else {
        let class = object.get_type().name()?;
        return Err(Error::type_error(format!(
            "{caller}() {argument} must be str, not {class}"
        )));
    };
    let text = text.to_cow()?;
    let (host, scope) = match text.split_once('%') {
        Some((host, scope)) => (host, Some(scope.to_owned())),
        None => (&*text, None),
    };
    match host.parse::<IpAddr>() {
        Ok(host) if scope.is_none() || host.is_ipv6() => Ok((host, scope)),
        _ => Err(Error::value_error(format!(
            "{caller}() {argument} must be a numeric address, not {}",
            object.repr()?
        ))),
    }
}

/// The index of the interface that a caller names: by that index, by its name, or by one of its
/// addresses. Names are those of the socket's network namespace.
pub(super) fn interface_index(
    channel: &Channel,
    object: &Bound<'_, PyAny>,
    caller: &str,
) -> Result<u32> {
    let py = object.py();
    if object.is_instance_of::<PyInt>() || args::is_index(object) {
        return match args::long_long(object)?.map(u32::try_from) {
            Ok(Ok(index)) => Ok(index),
            _ => Err(Error::overflow_error(format!(
                "{caller}() interface must be between 0 and 4294967295"
            ))),
        };
    }
    let Ok(name) = object.cast::<PyString>() else {
        let class = object.get_type().name()?;
        return Err(Error::type_error(format!(
            "{caller}() interface must be int or str, not {class}"
        )));
    };
    let found = match name.to_cow()?.parse::<IpAddr>() {
        Ok(host) => engine::detached(py, || interface::by_address(host)),
        Err(_) => named(channel, name)?,
    };
    found.map_err(|errno| match errno {
        Errno::NODEV => about(errno, &format!("interface {}", display(object))),
        errno => errno.into(),
    })
}

fn named(channel: &Channel, name: &Bound<'_, PyString>) -> Result<Result<u32, Errno>> {
    let bytes = args::file_system_bytes(name.as_any())?;
    let found = channel.lend(name.py(), |fd| interface::index(Some(fd), bytes.as_bytes()))?;
    Ok(found.map(|index| index as u32))
}

fn display(object: &Bound<'_, PyAny>) -> String {
    object
        .repr()
        .map_or_else(|_| "?".to_owned(), |text| text.to_string())
}

impl Socket {
    fn membership(
        &self,
        group: &Bound<'_, PyAny>,
        interface: Option<&Bound<'_, PyAny>>,
        source: Option<&Bound<'_, PyAny>>,
        join: bool,
    ) -> Result<()> {
        let py = group.py();
        let caller = if join { "join_group" } else { "leave_group" };
        let (host, scope) = numeric_host(group, caller, "group")?;
        if !host.is_multicast() {
            return Err(Error::value_error(format!(
                "{caller}() group must be a multicast address, not {}",
                display(group)
            )));
        }
        if self.family() == c::AF_INET && host.is_ipv6() {
            return Err(Error::value_error(format!(
                "{caller}() group must be an IPv4 address for this socket"
            )));
        }
        let source = match source {
            Some(source) => Some(numeric_host(source, caller, "source")?.0),
            None => None,
        };
        if source.is_some_and(|source| source.is_ipv4() != host.is_ipv4()) {
            return Err(Error::value_error(format!(
                "{caller}() source must be of the group's family"
            )));
        }
        let index = match (interface, scope) {
            (Some(interface), None) => interface_index(&self.channel, interface, caller)?,
            (None, Some(scope)) => match scope.parse() {
                Ok(index) => index,
                Err(_) => {
                    let scope = make::text(py, &scope)?;
                    interface_index(&self.channel, scope.as_any(), caller)?
                }
            },
            (None, None) => 0,
            (Some(_), Some(_)) => {
                return Err(Error::value_error(format!(
                    "{caller}() takes the interface with the group or apart, not both"
                )));
            }
        };
        let done = self.channel.lend(py, |fd| {
            multicast::membership(fd, host, index, source, join)
        });
        Ok(done??)
    }
}

#[pymethods]
impl Socket {
    /// Receive what is sent to a multicast group; RFC 3678, ip(7), ipv6(7).
    ///
    /// A socket can be in many groups. One of AF_INET6 that serves IPv4 as well can be in groups of
    /// both.
    ///
    /// Args:
    ///     group: the group's numeric address as text.
    ///     interface: the interface to receive through, by its index, its name or one of its
    ///         addresses. None leaves it to the routing table.
    ///     source: the numeric address of the one sender to receive from, or None for all; can be
    ///         repeated with others.
    ///
    /// Raises:
    ///     ValueError: ``group`` is no multicast address, or an address is of another family.
    ///     OSError: the socket has joined already (EADDRINUSE), there is no such interface (ENODEV),
    ///         or the socket is closed.
    #[pyo3(signature = (group, interface = None, source = None))]
    fn join_group(
        &self,
        group: &Bound<'_, PyAny>,
        interface: Option<&Bound<'_, PyAny>>,
        source: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        Ok(self.membership(group, interface, source, true)?)
    }

    /// Stop receiving what is sent to a multicast group; RFC 3678, ip(7), ipv6(7).
    ///
    /// Args:
    ///     group: as for ``join_group``.
    ///     interface: as for ``join_group``.
    ///     source: as for ``join_group``.
    ///
    /// Raises:
    ///     ValueError: ``group`` is no multicast address, or an address is of another family.
    ///     OSError: the socket has not joined in this way (EADDRNOTAVAIL, EINVAL), there is no such
    ///         interface (ENODEV), or the socket is closed.
    #[pyo3(signature = (group, interface = None, source = None))]
    fn leave_group(
        &self,
        group: &Bound<'_, PyAny>,
        interface: Option<&Bound<'_, PyAny>>,
        source: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        Ok(self.membership(group, interface, source, false)?)
    }
}
