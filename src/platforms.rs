//! Names the groups of platforms once, for the build scripts of both crates, so that the
//! sources say `#[cfg(linux)]` instead of repeating lists of targets.

pub(crate) fn main() {
    cfg_aliases::cfg_aliases! {
        // Kernels with the Linux socket interface.
        linux: { any(target_os = "linux", target_os = "android") },
        // Where messages with ancillary data can be sent and received, sendmsg(2), and with that
        // datagrams by the batch.
        messages: { unix },
        // Where pthread_exit(3) unwinds the stack of the thread.
        unwinding_exit: { any(all(target_os = "linux", target_env = "gnu"), target_os = "freebsd") },
        // BSD sockets with `sa_len` at the front of every address.
        bsd: { any(target_vendor = "apple", target_os = "freebsd") },
    }
}
