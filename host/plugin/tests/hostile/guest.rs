//! Guests that try to do harm, written as text: no compiler would make most of them.
//!
//! ```text
//! memory   1024  the answer that changes nothing      first event begins with `X`:  the mischief
//!          1200  the answer of `configure`            any other first event:        passes
//!          2048  the answer that lies (`Lie`)         empty batch (self-test):      passes
//!          4096  its data                             65536 …  what the host passes in
//! ```
//!
//! The answers are the canonical ABI's layout of `result<edits, error>` and `result<needs, error>`, word by word.

use std::path::PathBuf;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Where the lying answer is.
const LIE: u32 = 2048;

/// A guest under construction.
#[derive(Clone, Debug, Default)]
pub struct Guest {
    imports: String,
    globals: String,
    configure: String,
    mischief: Option<String>,
    data: Vec<(u32, Vec<u8>)>,
    pages: Option<u32>,
    realloc: Option<String>,
    wit: String,
}

impl Guest {
    /// Passes everything; answers `LIE` for events that begin with `X`.
    pub fn new() -> Self {
        Self::default()
    }
    /// Runs this for an event that begins with `X`; must leave the answer's address.
    pub fn does(mut self, wat: &str) -> Self {
        self.mischief = Some(wat.to_owned());
        self
    }
    /// Runs this at the start of `configure`.
    pub fn configures_with(mut self, wat: &str) -> Self {
        self.configure = wat.to_owned();
        self
    }
    /// Core imports, and the WIT of interfaces beyond `base` that they come from.
    pub fn imports(mut self, wat: &str, wit: &str) -> Self {
        self.imports = wat.to_owned();
        self.wit = wit.to_owned();
        self
    }
    /// Anything else of the module.
    pub fn with(mut self, wat: &str) -> Self {
        self.globals.push_str(wat);
        self
    }
    /// Initial memory.
    pub fn pages(mut self, pages: u32) -> Self {
        self.pages = Some(pages);
        self
    }
    /// What `cabi_realloc` does instead of allocating; must leave an address.
    pub fn reallocs_with(mut self, wat: &str) -> Self {
        self.realloc = Some(wat.to_owned());
        self
    }
    /// Bytes in memory.
    pub fn data(mut self, at: u32, bytes: &[u8]) -> Self {
        self.data.push((at, bytes.to_vec()));
        self
    }
    /// A word of the lying answer.
    pub fn answers(self, offset: u32, word: u32) -> Self {
        self.data(LIE + offset, &word.to_le_bytes())
    }
    /// A list in the lying answer.
    pub fn lists(self, offset: u32, at: u32, len: u32) -> Self {
        self.answers(offset, at).answers(offset + 4, len)
    }

    fn module(&self) -> String {
        let Self { imports, globals, configure, .. } = self;
        let pages = self.pages.unwrap_or(4);
        let mischief = self.mischief.clone().unwrap_or(format!("(i32.const {LIE})"));
        let realloc = self.realloc.clone().unwrap_or(BUMP.to_owned());
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
        let data: String = self
            .data
            .iter()
            .map(|(at, bytes)| format!("(data (i32.const {at}) \"{}\")", hex(bytes)))
            .collect();
        format!(
            r#"(module {imports}
            (memory (export "memory") {pages})
            (global $heap (mut i32) (i32.const 65536))
            (global $n (mut i32) (i32.const 0))
            {globals}
            (func (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32)
                (result i32) (local $at i32) {realloc})
            (func (export "flumen:plugin/intercept@0.1.0#configure") (param i32 i32) (result i32) (local $i i32)
                {configure}
                (i32.const 1200))
            (func (export "cabi_post_flumen:plugin/intercept@0.1.0#intercept") (param i32)
                (global.set $heap (i32.const 65536)))
            (func (export "flumen:plugin/intercept@0.1.0#intercept")
                (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (local $i i32) (local $j i32)
                (if (i32.eqz (local.get 0)) (then (return (i32.const 1024))))
                (if (i32.ne (i32.load8_u (i32.add (local.get 2) (i32.load (local.get 4)))) (i32.const 88))
                  (then (return (i32.const 1024))))
                {mischief})
            (data (i32.const 1204) "\01\00\00\00\02")
            {data})"#
        )
    }

    /// The component.
    pub fn component(&self) -> Vec<u8> {
        let mut module =
            wat::parse_str(self.module()).unwrap_or_else(|error| panic!("{error}\n{}", self.module()));
        let mut resolve = Resolve::default();
        let wit = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../wit/0.1.0");
        resolve.push_dir(&wit).expect("the package of this repository");
        let mut extra = String::new();
        for text in self.wit.split("----").filter(|text| !text.trim().is_empty()) {
            resolve.push_str("extra.wit", text).expect("the test's WIT");
            for interface in text.lines().filter_map(|line| line.trim().strip_prefix("interface ")) {
                let package =
                    text.lines().find_map(|line| line.trim().strip_prefix("package ")).expect("a package");
                let (name, version) = package.trim_end_matches(';').split_once('@').expect("a version");
                let interface = interface.trim_end_matches('{').trim();
                extra.push_str(&format!("import {name}/{interface}@{version};\n"));
            }
        }
        let world = format!("package t:t;\nworld w {{ include flumen:plugin/interceptor@0.1.0;\n{extra} }}");
        let package = resolve.push_str("world.wit", &world).expect("the test's world");
        let world = resolve.select_world(&[package], Some("w")).expect("the world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
        let encoder = ComponentEncoder::default().validate(true).module(&module);
        encoder.and_then(|mut encoder| encoder.encode()).expect("a component")
    }
}

/// Bump allocation; the post-return gives everything back.
const BUMP: &str = "
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536)))
      (then (drop (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1))))))
    (local.get $at)";
