//! Every finding about every fixture, word for word.
//!
//! The texts are in `tests/fixtures/*.findings`; `UPDATE_SNAPSHOTS=1 cargo test -p flumen-config` writes them anew,
//! and the difference is then for a person to judge.

mod common;

use std::path::Path;
use std::sync::Arc;

use flumen_config::render::{self, Colour};
use flumen_config::{Input, LoadOptions, Loaded, load};

fn load_fixture(path: &Path) -> Loaded {
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let text = std::fs::read(path).expect("the fixture");
    let options = LoadOptions { environment: Arc::new(|_| None), ..LoadOptions::default() };
    load(&[Input::Text { name, text }], &options, &common::catalog())
}

fn assert_snapshot(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(path, actual).expect("the snapshot can be written");
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(actual, expected, "{} differs; UPDATE_SNAPSHOTS=1 accepts", path.display());
}

#[test]
fn every_finding_about_the_fixtures_reads_as_reviewed() {
    for path in common::fixture_files() {
        let loaded = load_fixture(&path);
        let mut lines: Vec<String> = loaded.diagnostics.iter().map(render::line).collect();
        lines.push(render::summary(&loaded.diagnostics));
        assert_snapshot(&path.with_extension("findings"), &lines.join("\n"));
    }
}

#[test]
fn every_finding_about_a_file_names_a_line_of_it() {
    for path in common::fixture_files() {
        let loaded = load_fixture(&path);
        for finding in loaded.diagnostics.iter().filter(|d| d.code != "no-agents") {
            let shown = render::snippet(finding, &loaded.sources, Colour::Never);
            assert!(shown.contains(" --> "), "{}: {shown}", path.display());
        }
    }
}

#[test]
fn the_rendered_screen_reads_as_reviewed() {
    let path = common::fixtures().join("20_typed.properties");
    let loaded = load_fixture(&path);
    let screen = render::text(&loaded.diagnostics, &loaded.sources, Colour::Never);
    assert_snapshot(&path.with_extension("screen"), &screen);
}

#[test]
fn the_explanation_of_an_agent_reads_as_reviewed() {
    let path = common::fixtures().join("21_explained.properties");
    let loaded = load_fixture(&path);
    let text = flumen_config::explain::text(&loaded.agents[0], &common::catalog());
    assert!(!text.contains("hunter2"), "{text}");
    assert_snapshot(&path.with_extension("explained"), &text);
}
