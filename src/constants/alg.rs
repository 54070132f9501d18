//! The kernel's crypto interface (the kernel's `crypto/userspace-if`).

use super::{Table, table};

pub(super) const TABLES: &[Table] = &[
    table! {
        ALG_OP_DECRYPT, ALG_OP_ENCRYPT, ALG_SET_AEAD_ASSOCLEN, ALG_SET_AEAD_AUTHSIZE,
        ALG_SET_DRBG_ENTROPY, ALG_SET_IV, ALG_SET_KEY, ALG_SET_KEY_BY_KEY_SERIAL,
        ALG_SET_OP,
    },
    // For asymmetric keys; proposed to the kernel, never merged there, in Python since 3.6.
    table! {
        ALG_OP_SIGN = 2, ALG_OP_VERIFY = 3, ALG_SET_PUBKEY = 6,
    },
];
