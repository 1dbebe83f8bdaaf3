//! Any bytes as a .properties file are loaded and every finding is rendered: nothing panics.
#![no_main]

use std::sync::Arc;

use flumen_config::render::{self, Colour};
use flumen_config::{Catalog, Input, LoadOptions, explain, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let input = Input::Text { name: "fuzz.properties".to_owned(), text: data.to_vec() };
    let options = LoadOptions { environment: Arc::new(|_| None), ..LoadOptions::default() };
    let loaded = load(&[input], &options, &Catalog::default());
    render::text(&loaded.diagnostics, &loaded.sources, Colour::Never);
    for finding in loaded.diagnostics.iter() {
        render::line(finding);
    }
    for agent in &loaded.agents {
        explain::text(agent, &Catalog::default());
    }
});
