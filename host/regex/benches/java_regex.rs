//! What a pattern costs per event.

fn main() {
    divan::main();
}
