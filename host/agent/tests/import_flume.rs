//! `flumen channel import-flume`: what real Flume left behind is delivered by Flumen as Flume itself delivers it.
//!
//! The folders are those of `host/flumelog/tests/fixtures`, with the lines that real Flume 1.11 wrote from them.

mod harness;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::read::GzDecoder;
use harness::{Setup, until};
use tempfile::TempDir;

const DELIVER: &str = "
a1.channels = c1
a1.sinks = k1
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = HOME/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.serializer = header_and_text
";
const FILE: &str = "
a1.channels.c1.type = file
a1.channels.c1.checkpointDir = HOME/ours/checkpoint
a1.channels.c1.dataDirs = HOME/ours/data
";
const JDBC: &str = "
a1.channels.c1.type = jdbc
a1.channels.c1.driver.url = jdbc:sqlite:HOME/ours.sqlite
";
const KEYS: &str = "
a1.channels.c1.encryption.activeKey = key-1
a1.channels.c1.encryption.cipherProvider = AESGCMNOPADDING
a1.channels.c1.encryption.keyProvider = JCEKSFILE
a1.channels.c1.encryption.keyProvider.keyStoreFile = HOME/flume/keys.jceks
a1.channels.c1.encryption.keyProvider.keyStorePasswordFile = HOME/flume/store.pw
a1.channels.c1.encryption.keyProvider.keys = key-0 key-1
a1.channels.c1.encryption.keyProvider.keys.key-1.passwordFile = HOME/flume/key-1.pw
";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../flumelog/tests/fixtures").join(name)
}

/// A home with a real folder of Flume's in `flume`, and a configuration.
fn home(name: &str, config: &str) -> (TempDir, String) {
    let home = TempDir::new().expect("a folder");
    let packed = std::fs::File::open(fixture(&format!("{name}.tar.gz"))).expect(name);
    tar::Archive::new(GzDecoder::new(packed)).unpack(home.path().join("flume")).expect(name);
    std::fs::create_dir(home.path().join("out")).expect("made");
    let config = format!("{DELIVER}{config}");
    let text = config.replace("HOME", home.path().to_str().expect("UTF-8"));
    std::fs::write(home.path().join("flume.properties"), text).expect("written");
    (home, config)
}

fn import(home: &TempDir, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flumen"))
        .args(["channel", "import-flume", "-f", "flume.properties", "-n", "a1", "--channel", "c1", "flume"])
        .args(args)
        .current_dir(home.path())
        .output()
        .expect("it runs")
}
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn delivered(home: &Path) -> String {
    let files = std::fs::read_dir(home.join("out")).expect("the sink's folder");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    files
        .iter()
        .map(|file| String::from_utf8_lossy(&std::fs::read(file).expect("a file")).into_owned())
        .collect()
}

#[test]
fn imported_events_are_delivered_as_flume_delivers_them() {
    let cases =
        [("partial", FILE.to_owned()), ("two_dirs", JDBC.to_owned()), ("encrypted", format!("{FILE}{KEYS}"))];
    for (name, channel) in cases {
        let (home, config) = home(name, &channel);
        let expected = std::fs::read(fixture(&format!("{name}.expected.txt"))).expect(name);
        let expected = String::from_utf8_lossy(&expected).into_owned();
        let output = import(&home, &[]);
        let count = expected.lines().count();
        assert!(output.status.success(), "{name}: {}", said(&output));
        assert!(said(&output).contains(&format!("{count} events imported")), "{name}: {}", said(&output));
        let agent = Setup::in_home(home, &config).start();
        let out = agent.home().to_owned();
        until("all events", || (delivered(&out).lines().count() >= count).then_some(()));
        assert_eq!(delivered(&out), expected, "{name}");
    }
}

#[test]
fn a_second_import_is_refused_and_an_interrupted_one_can_be_continued() {
    let (home, _) = home("clean", JDBC);
    assert!(import(&home, &["--dry-run"]).status.success());
    assert!(!home.path().join("ours.sqlite").exists(), "a dry run makes nothing");
    assert!(said(&import(&home, &["--skip", "100"])).contains("20 events imported"));
    let refused = import(&home, &[]);
    assert!(
        !refused.status.success() && said(&refused).contains("already holds 20 events"),
        "{}",
        said(&refused)
    );
    assert!(said(&import(&home, &["--append", "--skip", "20"])).contains("100 events imported"));
}

#[test]
fn what_cannot_hold_the_events_is_refused_before_anything_is_carried() {
    let (full, _) = home("clean", &format!("{JDBC}a1.channels.c1.maximum.capacity = 119\n"));
    let refused = import(&full, &[]);
    assert!(
        !refused.status.success() && said(&refused).contains("120 events do not fit"),
        "{}",
        said(&refused)
    );
    let (memory, _) = home("clean", "a1.channels.c1.type = memory\n");
    let refused = import(&memory, &[]);
    assert!(said(&refused).contains("would be gone at once"), "{}", said(&refused));
    let (locked, _) = home("encrypted", FILE);
    let refused = import(&locked, &[]);
    assert!(said(&refused).contains("encrypted with the key `key-0`"), "{}", said(&refused));
}
