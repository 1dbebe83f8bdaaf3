//! Files, encodings, layers, variables and filters on their way into settings.

mod common;

use std::io::Write as _;
use std::sync::Arc;

use flumen_config::{Input, LoadOptions, Loaded, Origin, Severity, explain, load, render};

fn text(name: &str, text: impl Into<Vec<u8>>) -> Input {
    Input::Text { name: name.to_owned(), text: text.into() }
}

fn options() -> LoadOptions {
    LoadOptions {
        environment: Arc::new(|name| match name {
            "PORT" => Some("4444".to_owned()),
            "STORE_KEY" => Some("hunter2".to_owned()),
            _ => None,
        }),
        ..LoadOptions::default()
    }
}

fn run(inputs: &[Input]) -> Loaded {
    load(inputs, &options(), &common::catalog())
}

fn value<'a>(loaded: &'a Loaded, key: &str) -> Option<&'a str> {
    loaded.agents[0].sinks[0].settings.text(key)
}

const STORE: &str = "a.channels = c\na.channels.c.type = memory\na.sinks = k\na.sinks.k.type = store\na.sinks.k.channel = c\n";

#[test]
fn a_later_file_overrides_keys_of_an_earlier_one_without_a_warning() {
    let first = text("one.properties", format!("{STORE}a.sinks.k.url = one\n"));
    let loaded = run(&[first, text("two.toml", "[agents.a.sinks.k]\nurl = \"two\"\n")]);
    assert_eq!(value(&loaded, "url"), Some("two"));
    assert!(
        matches!(loaded.agents[0].sinks[0].settings.origin("url"), Origin::File { ref file, line: 2, .. } if &**file == "two.toml")
    );
    assert!(!loaded.diagnostics.iter().any(|d| d.code == "duplicate-key"));
}

#[test]
fn an_unreadable_file_is_an_error_and_the_others_are_used() {
    let loaded = run(&[Input::File("/no/such/file.properties".into()), text("x", STORE)]);
    assert_eq!(loaded.agents.len(), 1);
    assert!(loaded.diagnostics.iter().any(|d| d.code == "unreadable-file" && d.severity == Severity::Error));
}

#[test]
fn an_endless_file_is_refused() {
    let loaded = run(&[Input::File("/dev/zero".into())]);
    assert!(loaded.diagnostics.iter().any(|d| d.code == "unreadable-file"));
}

#[test]
fn plugin_paths_are_relative_to_the_file_that_names_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("agent.properties");
    std::fs::File::create(&path).and_then(|mut f| f.write_all(STORE.as_bytes())).expect("written");
    let loaded = run(&[Input::File(path)]);
    assert_eq!(loaded.agents[0].sinks[0].settings.base_dir(), dir.path());
}

#[test]
fn utf_8_is_read_with_or_without_a_byte_order_mark_and_latin_1_with_a_note() {
    for mark in [&b"\xEF\xBB\xBF"[..], b""] {
        let loaded =
            run(&[text("x", [mark, STORE.as_bytes(), "a.sinks.k.url = h\u{e9}\n".as_bytes()].concat())]);
        assert_eq!(value(&loaded, "url"), Some("h\u{e9}"));
        assert!(!loaded.diagnostics.iter().any(|d| d.code == "not-utf8"));
        assert_eq!(loaded.agents.len(), 1);
    }
    let loaded = run(&[text("x", [STORE.as_bytes(), b"a.sinks.k.url = h\xE9\n"].concat())]);
    assert_eq!(value(&loaded, "url"), Some("h\u{e9}"));
    let finding = loaded.diagnostics.iter().next().expect("the note");
    assert_eq!((finding.code, finding.severity), ("not-utf8", Severity::Note));
    assert!(render::snippet(finding, &loaded.sources, render::Colour::Never).contains("x:6"));
}

#[test]
fn an_empty_configuration_is_an_error() {
    for nothing in ["", "# nothing here\n", "\n\n"] {
        let loaded = run(&[text("x", nothing)]);
        assert!(loaded.agents.is_empty() && loaded.diagnostics.iter().any(|d| d.code == "no-agents"));
    }
}

#[test]
fn removed_agents_are_named() {
    let loaded = run(&[text("x", format!("{STORE}b.sources = s\n"))]);
    assert_eq!(loaded.removed_agents, ["b"]);
}

#[test]
fn toml_and_properties_give_the_same_settings() {
    let toml = "[agents.a]\nchannels.c.type = \"memory\"\nsinks.k = { type = \"store\", channel = \"c\", url = 'h\u{e9}', n = 0x10, \
        f = 1.5, b = true, l = [\"x\", 2], deep.er.key = \"v\", \"q.k\" = 1, serializer = { type = \"text\", a = 1 } }\n";
    let properties = format!(
        "{STORE}a.sinks.k.url = h\u{e9}\na.sinks.k.n = 16\na.sinks.k.f = 1.5\na.sinks.k.b = true\na.sinks.k.l = x 2\n\
         a.sinks.k.deep.er.key = v\na.sinks.k.q.k = 1\na.sinks.k.serializer = text\na.sinks.k.serializer.a = 1\n"
    );
    let pairs = |loaded: &Loaded| {
        let settings = &loaded.agents[0].sinks[0].settings;
        settings.iter().map(|(k, s)| (k.to_owned(), s.value.clone())).collect::<Vec<_>>()
    };
    assert_eq!(pairs(&run(&[text("x.toml", toml)])), pairs(&run(&[text("x.properties", properties)])));
}

#[test]
fn lists_of_toml_come_from_the_tables_in_their_order() {
    let loaded = run(&[text(
        "x.toml",
        "[agents.a.channels]\nz.type = \"memory\"\nb.type = \"memory\"\n[agents.a.sources.s]\ntype = \"seq\"\n\
        channels = [\"z\", \"b\"]\n[agents.a.sources.s.interceptors]\nsecond.type = \"timestamp\"\nfirst.type = \"timestamp\"\n",
    )]);
    let agent = &loaded.agents[0];
    assert_eq!(agent.channels.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["z", "b"]);
    assert_eq!(agent.sources[0].settings.words("interceptors"), ["second", "first"]);
}

#[test]
fn variables_reach_the_typed_options() {
    let source = "a.sources = s\na.sources.s.type = netcat\na.sources.s.bind = ${sys:bind:-h}\na.sources.s.port = ${env:PORT}\na.sources.s.channels = c\n";
    let loaded = run(&[text("x", format!("{STORE}{source}"))]);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let settings = &loaded.agents[0].sources[0].settings;
    assert_eq!((settings.text("bind"), settings.text("port")), (Some("h"), Some("4444")));
}

#[test]
fn values_of_config_filters_are_secret_whatever_the_key() {
    let filter = "a.configfilters = f\na.configfilters.f.type = ENV\na.sinks.k.url = <${f['STORE_KEY']}>\n";
    let loaded = run(&[text("x", format!("{STORE}{filter}"))]);
    assert_eq!(value(&loaded, "url"), Some("<hunter2>"));
    let explained = explain::text(&loaded.agents[0], &common::catalog());
    assert!(explained.contains("******") && !explained.contains("hunter2"), "{explained}");
}

#[test]
fn a_filter_without_an_answer_is_an_error_and_the_text_stays() {
    let filter = "a.configfilters = f\na.configfilters.f.type = env\na.sinks.k.url = ${f[NOPE]}${g[x]}\n";
    let loaded = run(&[text("x", format!("{STORE}{filter}"))]);
    assert_eq!(value(&loaded, "url"), Some("${f[NOPE]}${g[x]}"));
    assert_eq!(loaded.diagnostics.iter().filter(|d| d.code == "unresolved-filter").count(), 2);
}

const EXTERNAL: &str = "a.configfilters = f\na.configfilters.f.type = org.apache.flume.configfilter.ExternalProcessConfigFilter\n\
    a.configfilters.f.command = printf 47%s\na.sources = s\na.sources.s.type = netcat\na.sources.s.bind = h\n\
    a.sources.s.port = ${f[11]}\na.sources.s.channels = c\n";

#[test]
fn an_external_filter_runs_only_when_asked() {
    let input = [text("x", format!("{STORE}{EXTERNAL}"))];
    let unasked = load(&input, &options(), &common::catalog());
    assert!(unasked.diagnostics.is_empty(), "{:?}", unasked.diagnostics);
    assert_eq!(unasked.agents[0].sources[0].settings.text("port"), Some("${f[11]}"));
    assert!(unasked.agents[0].sources[0].settings.is_unknown("port"));
    let asked = load(&input, &LoadOptions { run_external: true, ..options() }, &common::catalog());
    assert_eq!(asked.agents[0].sources[0].settings.text("port"), Some("4711"));
}

#[test]
fn an_unknown_value_does_not_hide_other_mistakes() {
    let wrong = format!("{STORE}{}", EXTERNAL.replace("a.sources.s.bind = h\n", ""));
    let loaded = load(&[text("x", wrong)], &options(), &common::catalog());
    assert_eq!(loaded.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["missing-key"]);
    assert!(loaded.agents[0].sources.is_empty());
}

#[test]
fn a_bad_secret_is_not_shown_by_the_finding_about_it() {
    let filter = "a.configfilters = f\na.configfilters.f.type = env\na.sources = s\na.sources.s.type = netcat\na.sources.s.bind = h\n\
        a.sources.s.port = ${f[STORE_KEY]}\na.sources.s.channels = c\n";
    let loaded = run(&[text("x", format!("{STORE}{filter}"))]);
    let screen = render::text(&loaded.diagnostics, &loaded.sources, render::Colour::Never);
    assert!(screen.contains("port = ******") && !screen.contains("hunter2"), "{screen}");
}

#[test]
fn no_screen_shows_a_secret_of_the_fixture() {
    let path = common::fixtures().join("22_secrets_on_wrong_lines.properties");
    let loaded = run(&[Input::File(path)]);
    let screen = render::text(&loaded.diagnostics, &loaded.sources, render::Colour::Never);
    let lines: Vec<String> = loaded.diagnostics.iter().map(render::line).collect();
    assert!(screen.contains("******"), "{screen}");
    assert!(!screen.contains("hunter") && !lines.join("\n").contains("hunter"), "{screen}");
}
