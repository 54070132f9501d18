//! Names the groups of platforms once, for the build scripts of both crates, so that the
//! sources say `#[cfg(linux)]` instead of repeating lists of targets.

pub(crate) fn main() {
    cfg_aliases::cfg_aliases! {
        // Kernels with the Linux socket interface.
        linux: { any(target_os = "linux", target_os = "android") },
        // BSD sockets with `sa_len` at the front of every address.
        bsd: { any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd", target_os = "dragonfly") },
    }
}
