//! The Qualcomm IPC router.

use super::{Table, table};

pub(super) const TABLES: &[Table] = &[
    // libc has no name for these.
    table! {
        // linux/qrtr.h
        QRTR_NODE_BCAST = 0xffffffff, QRTR_PORT_CTRL = 0xfffffffe, QRTR_TYPE_BYE = 3,
        QRTR_TYPE_DATA = 1, QRTR_TYPE_DEL_CLIENT = 6, QRTR_TYPE_DEL_LOOKUP = 11,
        QRTR_TYPE_DEL_SERVER = 5, QRTR_TYPE_EXIT = 8, QRTR_TYPE_HELLO = 2,
        QRTR_TYPE_NEW_LOOKUP = 10, QRTR_TYPE_NEW_SERVER = 4, QRTR_TYPE_PING = 9,
        QRTR_TYPE_RESUME_TX = 7,
    },
];
