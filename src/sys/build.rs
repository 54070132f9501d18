//! Names what the sources choose by: the groups of platforms.

#[path = "../platforms.rs"]
mod platforms;

fn main() {
    platforms::main();
}
