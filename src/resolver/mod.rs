//! The functions about host, service, protocol and interface names, both ways.

mod addrinfo;
#[cfg(unix)]
mod hostname;
mod hosts;
mod interfaces;
mod nameinfo;
mod services;

pub(crate) use addrinfo::{addresses_of, getaddrinfo};
#[cfg(unix)]
pub(crate) use hostname::sethostname;
pub(crate) use hosts::{gethostbyaddr, gethostbyname, gethostbyname_ex, gethostname};
pub(crate) use interfaces::{FAST, getifaddrs, if_indextoname, if_nameindex, if_nametoindex};
pub(crate) use nameinfo::getnameinfo;
pub(crate) use services::{getprotobyname, getservbyname, getservbyport};
