//! What the tests share: where the files are, and a small catalog as the real one is built.
#![allow(dead_code, clippy::print_stdout)]

use std::path::{Path, PathBuf};

use flumen_config::options::{Count, Options, Words};
use flumen_config::{Catalog, ComponentKind, ComponentSpec, Input, LoadOptions, Settings, load};

/// Our own odd configurations.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The fixtures in both grammars.
pub fn fixture_files() -> Vec<PathBuf> {
    let mut files = configurations(&fixtures());
    files.extend(files_ending(&fixtures(), "toml"));
    files
}

/// The published configurations of others, if they are on this machine: `$FLUMEN_SHARED` or beside the workspace.
pub fn realworld() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("FLUMEN_SHARED").map_or_else(beside, PathBuf::from);
    let dir = shared.join("reference/realworld");
    if dir.join("EXPECTED.tsv").exists() {
        return Some(dir);
    }
    println!("skipped: {} is not there (set FLUMEN_SHARED)", dir.display());
    None
}

/// The properties files of a folder, by name.
pub fn configurations(dir: &Path) -> Vec<PathBuf> {
    files_ending(dir, "properties")
}

fn files_ending(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .expect("the folder can be read")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    files
}

flumen_config::options! {
    /// Reads lines from a TCP port.
    struct Netcat {
        /// Address to listen on.
        "bind" => bind: String,
        /// Port to listen on.
        "port" => port: u16,
        /// Longest line.
        "max-line-length" => max_line: u32 = 512,
    }
}
flumen_config::options! {
    /// Counts.
    struct Seq {
        /// Events in one transaction.
        "batchSize" => batch: Count = Count(1),
    }
}
flumen_config::options! {
    /// Keeps events in memory.
    struct Memory {
        /// Events it holds.
        "capacity" => capacity: Count = Count(100), lenient;
        /// Events in one transaction.
        "transactionCapacity" => transaction: Count = Count(100), lenient;
    }
}
flumen_config::options! {
    /// Counts events and forgets them.
    struct Null {
        /// Events in one transaction.
        "batchSize" => batch: Count = Count(100),
    }
}
flumen_config::options! {
    /// Writes files.
    struct FileRoll {
        /// Where.
        "sink.directory" => directory: String,
        /// How events are written.
        "sink.serializer" => serializer: String = "TEXT".to_owned(),
        /// Events in one transaction.
        "sink.batchSize" => batch: Count = Count(100),
    }
}
flumen_config::options! {
    /// Sends to a store.
    struct Store {
        /// Where it is.
        "url" => url: Option<String>,
        /// The word that opens it.
        "password" => password: Option<String>,
    }
}
flumen_config::options! {
    /// Sets the time.
    struct Timestamp {
        /// The header.
        "headerName" => header: String = "timestamp".to_owned(),
    }
}
flumen_config::options! {
    /// Chooses by a header.
    struct Multiplexing {
        /// The header.
        "header" => header: String = "flume.selector.header".to_owned(),
        /// Channels for a value.
        "mapping." => mapping: Option<Words>,
        /// Channels for all other values.
        "default" => default: Option<Words>,
    }
}
flumen_config::options! {
    /// One sink after the other.
    struct Failover {
        /// Higher goes first.
        "priority." => priority: Option<Words>,
        /// Longest pause.
        "maxpenalty" => maxpenalty: u64 = 30_000,
    }
}
flumen_config::options! {
    /// Bodies as lines.
    struct Text {
        /// A line end behind each.
        "appendNewline" => newline: bool = true,
    }
}
flumen_config::options! {
    /// Nothing to set.
    struct Plain {}
}

fn spec<T: Options>(kind: ComponentKind, name: &'static str) -> ComponentSpec {
    ComponentSpec::of::<T>(kind, name, &[])
}

/// How many events at once, by key, with a default.
fn events(settings: &Settings, key: &str, default: usize) -> usize {
    settings.text(key).and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A catalog with a few types of each kind.
pub fn catalog() -> Catalog {
    use ComponentKind::{Channel, Interceptor, Selector, Serializer, Sink, SinkProcessor, Source};
    let mut seq = spec::<Seq>(Source, "seq");
    seq.batch_size = Some(|s| events(s, "batchSize", 1));
    let mut memory = spec::<Memory>(Channel, "memory");
    memory.transaction_capacity = Some(|s| Some(events(s, "transactionCapacity", 100)));
    let mut null = spec::<Null>(Sink, "null");
    null.batch_size = Some(|s| events(s, "batchSize", 100));
    let mut file_roll = spec::<FileRoll>(Sink, "file_roll");
    file_roll.batch_size = Some(|s| events(s, "sink.batchSize", 100));
    Catalog::new([
        spec::<Netcat>(Source, "netcat"),
        seq,
        memory,
        null,
        file_roll,
        spec::<Store>(Sink, "store"),
        spec::<Plain>(Sink, "logger"),
        spec::<Timestamp>(Interceptor, "timestamp"),
        spec::<Plain>(Selector, "replicating"),
        spec::<Multiplexing>(Selector, "multiplexing"),
        spec::<Plain>(SinkProcessor, "default"),
        spec::<Failover>(SinkProcessor, "failover"),
        spec::<Plain>(SinkProcessor, "load_balance"),
        spec::<Text>(Serializer, "text"),
    ])
}

/// The rows that a load gives for a file, in the form of EXPECTED.tsv.
pub fn kept(file: &Path) -> Vec<String> {
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    let options = LoadOptions { environment: std::sync::Arc::new(|_| None), ..LoadOptions::default() };
    let loaded = load(&[Input::File(file.to_owned())], &options, &Catalog::default());
    let sorted = |names: Vec<&String>| {
        let mut names: Vec<&str> = names.into_iter().map(String::as_str).collect();
        names.sort_unstable();
        clean(&names.join(" "))
    };
    let mut rows: Vec<String> =
        loaded.removed_agents.iter().map(|agent| format!("{name}\t{}\tREMOVED", clean(agent))).collect();
    for agent in &loaded.agents {
        let row = format!(
            "{name}\t{}\tok\t{}\t{}\t{}\t{}",
            clean(&agent.name),
            sorted(agent.sources.iter().map(|c| &c.name).collect()),
            sorted(agent.channels.iter().map(|c| &c.name).collect()),
            sorted(agent.sinks.iter().map(|c| &c.name).collect()),
            sorted(agent.sink_groups.iter().map(|c| &c.name).collect()),
        );
        rows.push(row.trim_end_matches('\t').to_owned());
    }
    rows
}

/// Characters that mean something to one grammar or the other.
const ODD: &[u8] = b"\\=: \t\n\r#!.,${}[]'\"-u0\xFF\xC3\x00%\x0C";

/// A small generator, so that a seed says everything.
pub struct Random(pub u64);

impl Random {
    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit.max(1)
    }
}

/// The bytes with one of them deleted, doubled, changed, or an odd one put in.
pub fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut mutant = bytes.to_vec();
    let at = random.below(bytes.len());
    match random.below(4) {
        0 => {
            mutant.remove(at);
        }
        1 => mutant.insert(at, bytes[at]),
        2 => mutant[at] = ODD[random.below(ODD.len())],
        _ => mutant.insert(at, ODD[random.below(ODD.len())]),
    }
    mutant
}

/// Names may hold anything; the rows of EXPECTED.tsv hold `?` for control characters.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_control() { '?' } else { c }).collect()
}
