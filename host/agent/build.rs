//! Says that the program has files of other folders inside: the templates of `flumen plugin new` and what they need.

fn main() {
    for folder in ["guest-examples/templates", "guest-examples/sdk", "wit"] {
        println!("cargo:rerun-if-changed=../../{folder}");
    }
}
