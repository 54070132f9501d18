//! Sockets between virtual machines and their host (vsock(7)).

use super::{Table, table};

pub(super) const TABLES: &[Table] = &[
    table! {
        VMADDR_CID_ANY, VMADDR_CID_HOST, VMADDR_CID_HYPERVISOR, VMADDR_CID_LOCAL,
        VMADDR_PORT_ANY,
    },
    // libc has no name for these.
    table! {
        // linux/vm_sockets.h
        SO_VM_SOCKETS_BUFFER_MAX_SIZE = 2, SO_VM_SOCKETS_BUFFER_MIN_SIZE = 1,
        SO_VM_SOCKETS_BUFFER_SIZE = 0, SO_VM_SOCKETS_CONNECT_TIMEOUT = 6,
        SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW = 8, SO_VM_SOCKETS_NONBLOCK_TXRX = 7,
        SO_VM_SOCKETS_PEER_HOST_VM_ID = 3, SO_VM_SOCKETS_TRUSTED = 5,
        IOCTL_VM_SOCKETS_GET_LOCAL_CID = crate::sys::c::_IO(7, 0xb9) as i64, VMADDR_FLAG_TO_HOST = 1,
        VM_SOCKETS_INVALID_VERSION = 0xffffffff,
    },
];
