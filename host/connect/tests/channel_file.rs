//! The file channel as a configuration makes it: encrypted with keys of real key stores, and in the way of another.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flumen_channel::{Channel, Gate, Patience, put_all};
use flumen_config::Settings;
use flumen_connect::channels::TYPES;
use flumen_event::{Batch, BatchBuilder};

const SECRET: &str = "a body that must not be read on disk";

/// Made by `keytool -storetype JCEKS`: `key-0` of 128 bits under the store's password, `key-1` of 256 under its own.
fn keystore() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../keystore/tests/fixtures/keys.jceks")
}

struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("store.pw"), "store-secret").expect("written");
        std::fs::write(dir.path().join("other.pw"), "other-secret").expect("written");
        Self { dir }
    }
    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }
    fn settings(&self, active: Option<(&str, &str)>, keys: &str) -> Settings {
        let (data, checkpoint) = (self.path("data"), self.path("checkpoint"));
        let mut pairs = vec![
            ("dataDirs", data),
            ("checkpointDir", checkpoint),
            ("capacity", "1000".to_owned()),
            ("transactionCapacity", "100".to_owned()),
            ("minimumRequiredSpace", "1048576".to_owned()),
        ];
        if let Some((key, cipher)) = active {
            pairs.extend([
                ("encryption.activeKey", key.to_owned()),
                ("encryption.cipherProvider", cipher.to_owned()),
                ("encryption.keyProvider", "JCEKSFILE".to_owned()),
                ("encryption.keyProvider.keyStoreFile", keystore().display().to_string()),
                ("encryption.keyProvider.keyStorePasswordFile", self.path("store.pw")),
                ("encryption.keyProvider.keys", keys.to_owned()),
                ("encryption.keyProvider.keys.key-1.passwordFile", self.path("other.pw")),
            ]);
        }
        Settings::from_pairs("a1.channels.c1", pairs.iter().map(|(k, v)| (*k, v.as_str())))
    }
    /// What the build or the opening says against it.
    fn open(&self, settings: &Settings) -> Result<(Arc<dyn Channel>, Arc<Gate>), String> {
        let file = TYPES.iter().find(|t| t.spec.name == "file").expect("a type");
        let gate = Arc::new(Gate::default());
        let built = (file.build)(settings, gate.clone());
        let channel =
            built.map_err(|d| d.iter().map(|d| d.message.clone()).collect::<Vec<_>>().join("; "))?;
        channel.open()?;
        Ok((channel, gate))
    }
    fn on_disk(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.dir.path().join("data")).expect("a folder").flatten();
        files.filter(|f| f.path().is_file()).flat_map(|f| std::fs::read(f.path()).expect("read")).collect()
    }
}

fn events(numbers: std::ops::Range<usize>) -> Batch {
    let mut builder = BatchBuilder::default();
    for number in numbers {
        let number = number.to_string();
        builder.push(SECRET.as_bytes(), [("n", number.as_str())]).expect("fits");
    }
    builder.finish()
}
async fn put(channel: &Arc<dyn Channel>, gate: &Gate, numbers: std::ops::Range<usize>) {
    put_all(&[(channel.clone(), events(numbers))], Patience::None, gate, || ()).await.expect("stored");
}
async fn drain(channel: &Arc<dyn Channel>) -> Vec<usize> {
    let mut numbers = Vec::new();
    while let Some(take) = channel.try_take(100).await.expect("the storage works") {
        for event in take.batches().iter().flat_map(Batch::iter) {
            assert_eq!(event.body(), SECRET.as_bytes());
            numbers.push(event.header("n").and_then(|n| n.parse().ok()).expect("ours"));
        }
        take.commit(&mut || ()).await.expect("recorded");
    }
    numbers
}
fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn bodies_are_not_readable_on_disk_and_keys_rotate() {
    let world = World::new();
    let (channel, gate) = world.open(&world.settings(None, "")).expect("opened");
    put(&channel, &gate, 0..3).await;
    channel.close();
    drop(channel);
    assert!(contains(&world.on_disk(), SECRET), "without a key they are");
    let both = "key-0 key-1";
    let mut next = 3;
    for (key, cipher) in
        [("key-0", "AESCTRNOPADDING"), ("key-1", "AESGCMNOPADDING"), ("key-1", "AESCTRNOPADDING")]
    {
        let (channel, gate) = world.open(&world.settings(Some((key, cipher)), both)).expect("opened");
        put(&channel, &gate, next..next + 3).await;
        next += 3;
        channel.close();
    }
    let newest =
        std::fs::read_dir(world.dir.path().join("data")).expect("a folder").flatten().map(|f| f.path());
    let newest = newest.filter(|p| p.is_file()).max().expect("a segment");
    assert!(!contains(&std::fs::read(newest).expect("read"), SECRET));
    let (channel, _) = world.open(&world.settings(Some(("key-0", "AESGCMNOPADDING")), both)).expect("opened");
    assert_eq!(drain(&channel).await, (0..12).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_missing_key_or_a_wrong_password_is_named_and_loses_nothing() {
    let world = World::new();
    let good = world.settings(Some(("key-1", "AESCTRNOPADDING")), "key-1");
    let (channel, gate) = world.open(&good).expect("opened");
    put(&channel, &gate, 0..5).await;
    channel.close();
    drop(channel);
    let without = world.open(&world.settings(Some(("key-0", "AESCTRNOPADDING")), "key-0")).err();
    assert!(without.as_ref().is_some_and(|e| e.contains("`key-1`") && e.contains("(key-0)")), "{without:?}");
    let unsealed = world.open(&world.settings(None, "")).err();
    assert!(unsealed.as_ref().is_some_and(|e| e.contains("`key-1`")), "{unsealed:?}");
    std::fs::write(world.path("other.pw"), "wrong").expect("written");
    let wrong = world.open(&good).err();
    assert!(wrong.as_ref().is_some_and(|e| e.contains("key-1") && e.contains("keys.jceks")), "{wrong:?}");
    std::fs::write(world.path("other.pw"), "other-secret").expect("written");
    let (channel, _) = world.open(&good).expect("opened");
    assert_eq!(drain(&channel).await, (0..5).collect::<Vec<_>>());
}

#[tokio::test]
async fn two_channels_cannot_share_folders() {
    let world = World::new();
    let (_first, _) = world.open(&world.settings(None, "")).expect("opened");
    let second = world.open(&world.settings(None, "")).err();
    let process = format!("process {}", std::process::id());
    assert!(second.as_ref().is_some_and(|e| e.contains(&process) && e.contains("dataDirs")), "{second:?}");
}
