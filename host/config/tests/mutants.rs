//! No single wrong character makes a load panic or hang, whatever it breaks.

mod common;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::{Random, mutate};
use flumen_config::render::{self, Colour};
use flumen_config::{Input, LoadOptions, explain, load};

/// Over all files together; the default run stays short this way.
const MUTANTS: usize = 10_000;
/// One load of a small file takes well under a millisecond, so this is a hang.
const LOAD_MAX: Duration = Duration::from_secs(2);
fn files() -> Vec<PathBuf> {
    let mut files = common::fixture_files();
    files.extend(common::realworld().map(|dir| common::configurations(&dir)).unwrap_or_default());
    files
}

#[test]
fn no_mutant_of_any_file_panics_or_hangs() {
    let seed = std::env::var("FLUMEN_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_260_101);
    println!("seed {seed} (set FLUMEN_SEED for another)");
    let mut random = Random(seed);
    let catalog = common::catalog();
    let options = LoadOptions { environment: std::sync::Arc::new(|_| None), ..LoadOptions::default() };
    let files = files();
    let mut loads = 0;
    for path in &files {
        let bytes = std::fs::read(path).expect("the file");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        for _ in 0..MUTANTS / files.len() + 1 {
            let text = mutate(&bytes, &mut random);
            let started = Instant::now();
            let loaded = load(&[Input::Text { name: name.clone(), text: text.clone() }], &options, &catalog);
            // Rendering costs more than loading; every eighth mutant is enough to meet every finding.
            if loads % 8 == 0 {
                assert!(render::text(&loaded.diagnostics, &loaded.sources, Colour::Never).ends_with('\n'));
            }
            for agent in &loaded.agents {
                assert!(explain::text(agent, &catalog).starts_with("agent "));
            }
            assert!(
                started.elapsed() < LOAD_MAX,
                "{name} took {:?}: {:?}",
                started.elapsed(),
                String::from_utf8_lossy(&text)
            );
            loads += 1;
        }
    }
    assert!(loads >= MUTANTS);
}

#[test]
fn hostile_shapes_are_read_in_bounded_time() {
    let deep = format!("[agents.a.sources.s]\nx = {}1{}\n", "[".repeat(50_000), "]".repeat(50_000));
    let tables = format!("agents.{}b = 1\n", "a.".repeat(50_000));
    let many_agents: String = (0..10_000).map(|i| format!("agent{i}.sources = s\n")).collect();
    let long_list = format!("a.channels = {}\na.channels.c.type = memory\n", "c d ".repeat(50_000));
    let one_key = "a.sources.s.x = 1\n".repeat(20_000);
    let many_keys: String = (0..20_000).map(|i| format!("a.sources.s{i}.x = 1\n")).collect();
    let variables = format!("a.sources.s.x = {}\n", "${a.sources.s.y}".repeat(20_000));
    let open = format!("a.sources.s.x = {}\n", "${".repeat(50_000));
    let unlisted: String = (0..10_000).map(|i| format!("a.sources.source{i}.x = 1\n")).collect();
    let listed: String = (0..1_000).map(|i| format!("sourec{i} ")).collect();
    let unlisted = format!("a.channels = c\na.channels.c.type = memory\na.sources = {listed}\n{unlisted}");
    let names = |prefix: &str| (0..1_000).map(|i| format!("{prefix}{i} ")).collect::<String>();
    let parts: String = (0..1_000)
        .map(|i| {
            format!(
                "a.sources.s{i}.type = seq\na.sources.s{i}.channels = c{i} d{i}\na.channels.c{i}.type = memory\n\
                 a.sinks.k{i}.type = null\na.sinks.k{i}.channel = c{i}\n"
            )
        })
        .collect();
    let wide =
        format!("a.sources = {}\na.channels = {}\na.sinks = {}\n{parts}", names("s"), names("c"), names("k"));
    let slashes = "\\".repeat(1_000_000);
    for (name, text) in [
        ("deep.toml", deep),
        ("tables.toml", tables),
        ("many_agents", many_agents),
        ("long_list", long_list),
        ("one_key", one_key),
        ("many_keys", many_keys),
        ("variables", variables),
        ("open", open),
        ("unlisted", unlisted),
        ("wide", wide),
        ("slashes", slashes),
    ] {
        let started = Instant::now();
        let input = Input::Text { name: name.to_owned(), text: text.into_bytes() };
        let loaded = load(&[input], &LoadOptions::default(), &common::catalog());
        assert!(!loaded.diagnostics.is_empty(), "{name}");
        println!("{name}: {:?}, {} findings", started.elapsed(), loaded.diagnostics.len());
        assert!(started.elapsed() < Duration::from_secs(10), "{name} took {:?}", started.elapsed());
    }
}
