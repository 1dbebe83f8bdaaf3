//! What both grammars are held to: any bytes are loaded, and every finding is rendered, without a panic.

use std::sync::Arc;

use flumen_config::render::{self, Colour};
use flumen_config::{Catalog, Input, LoadOptions, explain, load};

/// Loads the bytes as a file of this name, whose ending says the grammar.
pub fn load_as(name: &str, data: &[u8]) {
    let input = Input::Text { name: name.to_owned(), text: data.to_vec() };
    let options = LoadOptions { environment: Arc::new(|_| None), ..LoadOptions::default() };
    let loaded = load(&[input], &options, &Catalog::default());
    render::text(&loaded.diagnostics, &loaded.sources, Colour::Never);
    for finding in loaded.diagnostics.iter() {
        render::line(finding);
    }
    for agent in &loaded.agents {
        explain::text(agent, &Catalog::default());
    }
}
