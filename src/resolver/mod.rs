//! The functions about host, service, protocol and interface names, both ways.

mod addrinfo;
mod hosts;
mod interfaces;
mod nameinfo;
mod services;

pub(crate) use addrinfo::{addresses_of, getaddrinfo};
pub(crate) use hosts::{gethostbyaddr, gethostbyname, gethostbyname_ex, gethostname, sethostname};
pub(crate) use interfaces::{FAST, getifaddrs, if_indextoname, if_nameindex, if_nametoindex};
pub(crate) use nameinfo::getnameinfo;
pub(crate) use services::{getprotobyname, getservbyname, getservbyport};
