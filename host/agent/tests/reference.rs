//! The documents are compared with the code: options, metrics, links, and the tests that sentences refer to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_option_reference_is_what_the_code_says() {
    flumen_connect::catalog::install_plugins(&flumen_plugin::types::TYPES);
    let written = read(&root().join("conf/OPTIONS.md"));
    let generated = flumen_config::reference::markdown(&flumen_connect::catalog::catalog());
    let differs = written.lines().zip(generated.lines()).position(|(there, here)| there != here);
    assert!(
        written == generated,
        "conf/OPTIONS.md is not what the code says, from line {} on; regenerate it: \
         cargo run -- options > conf/OPTIONS.md",
        differs.unwrap_or(written.lines().count().min(generated.lines().count())) + 1
    );
}

#[test]
fn the_metrics_of_the_monitoring_page_are_those_of_the_code() {
    let page = read(&root().join("conf/MONITORING.md"));
    let (flume, prometheus) = page.split_once("\n## `/metrics/prometheus`").expect("the chapter");
    let first_cells =
        prometheus.lines().filter_map(|line| line.strip_prefix("| `flumen_")?.split('`').next());
    let documented: BTreeSet<String> = first_cells.map(|rest| format!("flumen_{rest}")).collect();
    let is_ours = |text: &str| text.starts_with("flumen_");
    let mut known = quoted("prometheus.rs", is_ours);
    known.extend(quoted("plugins.rs", is_ours));
    assert_eq!(documented, known);

    let (_, flume) = flume.split_once("\n## `/metrics`").expect("the chapter");
    let words: BTreeSet<String> = flume.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let is_name = |text: &str| {
        text.len() > 4
            && text.chars().all(|c| c.is_ascii_alphabetic())
            && text.contains(|c: char| c.is_lowercase())
            && text.starts_with(|c: char| c.is_uppercase())
    };
    let missing: Vec<String> = quoted("flume_json.rs", is_name).difference(&words).cloned().collect();
    assert!(missing.is_empty(), "conf/MONITORING.md does not name {missing:?}");
}

/// The string literals of a file of the monitor that are names of metrics.
fn quoted(file: &str, is_name: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let source = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/monitor").join(file));
    let code =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    code.split('"').skip(1).step_by(2).filter(|text| is_name(text)).map(str::to_owned).collect()
}

#[test]
fn every_link_of_the_documents_leads_to_a_file_and_every_named_test_exists() {
    let mut wrong = Vec::new();
    for page in pages(&root()) {
        let text = read(&page);
        for (label, target) in links(&text) {
            if target.starts_with("http") {
                continue;
            }
            let (file, chapter) = target.split_once('#').unwrap_or((target, ""));
            let path =
                if file.is_empty() { page.clone() } else { page.parent().expect("a folder").join(file) };
            let name = label.trim_matches('`');
            if !path.exists() {
                wrong.push(format!("{}: {target} does not exist", page.display()));
            } else if !chapter.is_empty() && !chapters(&read(&path)).contains(chapter) {
                wrong.push(format!("{}: there is no chapter {chapter} in {file}", page.display()));
            } else if is_claim(label, target) && !read(&path).contains(&format!("fn {name}(")) {
                wrong.push(format!("{}: there is no test {name} in {target}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The names by which links reach the headings of a page, as GitHub makes them.
fn chapters(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#'));
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    headings.map(|heading| heading.trim().chars().filter_map(kept).collect()).collect()
}

/// A label like `` `name_of_a_test` `` on a Rust file.
fn is_claim(label: &str, target: &str) -> bool {
    let name = label.trim_matches('`');
    label.starts_with('`')
        && target.ends_with(".rs")
        && name.contains('_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Label and target of each link `[label](target)`.
fn links(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices("](").filter_map(|(at, _)| {
        let label = &text[text[..at].rfind('[')? + 1..at];
        let target = text[at + 2..].split(')').next()?;
        (!target.contains(char::is_whitespace)).then_some((label, target))
    })
}

/// The documents: Markdown files at the top and in the folders that have some.
fn pages(root: &Path) -> Vec<PathBuf> {
    let folders = ["", "conf", "wit", "guest-examples", "tests", "tests/bench", "host/decisions"];
    let files = folders.iter().flat_map(|folder| fs::read_dir(root.join(folder)).expect("a folder"));
    let paths = files.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}
