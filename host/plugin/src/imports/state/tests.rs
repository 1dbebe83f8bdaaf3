//! What the store promises, without and with deaths.

use super::*;

fn log() -> Arc<PluginLog> {
    Arc::new(PluginLog::new("a1.i1".into(), 1 << 20))
}

fn open(path: &Path) -> StateStore {
    StateStore::open(log(), path).expect("opens")
}

#[test]
fn what_was_set_is_there_after_reopening() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("deep/er/x.kv");
    let store = open(&path);
    assert!(!path.exists(), "nothing is written before the first set");
    store.set("a", b"1").expect("set");
    store.set("b", b"2").expect("set");
    store.set("a", b"3").expect("set");
    store.delete("b").expect("delete");
    drop(store);
    let store = open(&path);
    assert_eq!((store.get("a").as_deref(), store.get("b")), (Some(&b"3"[..]), None));
    assert_eq!(store.lock().bytes, 2 + ENTRY_BYTES);
}

#[test]
fn a_second_process_is_kept_out() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("x.kv");
    let first = open(&path);
    first.set("a", b"1").expect("set");
    assert!(matches!(StateStore::open(log(), &path), Err(OpenError::Held { .. })));
    drop(first);
    open(&path);
}

#[test]
fn a_foreign_file_is_left_alone() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("x.kv");
    std::fs::write(&path, b"important, and not ours").expect("write");
    assert!(matches!(StateStore::open(log(), &path), Err(OpenError::Foreign { .. })));
    assert_eq!(std::fs::read(&path).expect("read"), b"important, and not ours");
}

#[test]
fn sizes_are_limits() {
    let store = StateStore::in_memory(log());
    let long = "k".repeat(KEY_BYTES_MAX + 1);
    assert_eq!(store.set(&long, b""), Err(StateError::TooLarge));
    assert_eq!(store.set("k", &vec![0; VALUE_BYTES_MAX + 1]), Err(StateError::TooLarge));
    let mut stored = 0;
    let full = loop {
        match store.set(&format!("{stored}"), &vec![0; VALUE_BYTES_MAX]) {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((full, stored), (StateError::Full, STORE_BYTES_MAX / (VALUE_BYTES_MAX + ENTRY_BYTES)));
    store.set("0", &vec![1; VALUE_BYTES_MAX]).expect("replacing what is there needs no room");
    store.delete("1").expect("delete");
    store.set("x", &vec![1; VALUE_BYTES_MAX]).expect("room again");
}

#[test]
fn a_flood_of_tiny_keys_is_bounded() {
    let store = StateStore::in_memory(log());
    let kept = (0..1_000_000).take_while(|n| store.set(&format!("{n}"), b"").is_ok()).count();
    assert!(kept < STORE_BYTES_MAX / ENTRY_BYTES, "{kept}");
}

#[test]
fn keys_are_paged_by_prefix() {
    let store = StateStore::in_memory(log());
    for key in ["a", "b", "b/1", "b/2", "b/3", "c"] {
        store.set(key, b"").expect("set");
    }
    assert_eq!(store.keys("b/", None, 2), ["b/1", "b/2"]);
    assert_eq!(store.keys("b/", Some("b/2"), 2), ["b/3"]);
    assert_eq!(store.keys("b", Some("a"), 9), ["b", "b/1", "b/2", "b/3"]);
    assert_eq!(store.keys("b", Some("c"), 9), [""; 0]);
    assert_eq!(store.keys("", None, 0), [""; 0]);
}

#[test]
fn a_file_that_is_mostly_old_is_rewritten_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("x.kv");
    let store = open(&path);
    store.set("keep", b"for ever").expect("set");
    for round in 0..40_u8 {
        store.set("big", &vec![round; VALUE_BYTES_MAX]).expect("set");
    }
    let before = std::fs::metadata(&path).expect("file").len();
    store.maintain();
    let after = std::fs::metadata(&path).expect("file").len();
    assert!(before > 2_600_000 && after < 70_000, "{before} -> {after}");
    store.set("later", b"1").expect("set");
    assert!(store.needs_care());
    store.maintain();
    assert!(!store.needs_care());
    drop(store);
    let store = open(&path);
    assert_eq!(store.get("keep").as_deref(), Some(&b"for ever"[..]));
    assert_eq!(store.get("big").as_deref(), Some(&[39; VALUE_BYTES_MAX][..]));
    assert_eq!(store.get("later").as_deref(), Some(&b"1"[..]));
}

#[test]
fn sets_during_a_rewrite_are_in_the_new_file() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("x.kv");
    let store = Arc::new(open(&path));
    let writer = std::thread::spawn({
        let store = store.clone();
        move || {
            for n in 0..3000_u32 {
                store.set(&format!("{}", n % 50), &vec![(n % 251) as u8; 8000]).expect("set");
            }
        }
    });
    while !writer.is_finished() {
        store.maintain();
    }
    writer.join().expect("writer");
    store.maintain();
    let expected: Vec<_> = (0..50).map(|key| store.get(&format!("{key}"))).collect();
    drop(store);
    let store = open(&path);
    assert_eq!((0..50).map(|key| store.get(&format!("{key}"))).collect::<Vec<_>>(), expected);
}

#[test]
fn after_a_failed_sync_the_file_is_rewritten_from_memory() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("x.kv");
    let store = open(&path);
    store.set("a", b"1").expect("set");
    std::fs::write(&path, b"what a failed disk left").expect("write");
    store.lock().file.as_mut().expect("file").distrust();
    assert!(store.needs_care());
    store.maintain();
    drop(store);
    assert_eq!(open(&path).get("a").as_deref(), Some(&b"1"[..]));
}

#[test]
fn no_name_of_a_component_leads_elsewhere() {
    assert_eq!(file_name("a1.sources.r1.interceptors.i-1"), "a1.sources.r1.interceptors.i-1.kv");
    assert_eq!(file_name("../../etc/passwd"), "%2E.%2F..%2Fetc%2Fpasswd.kv");
    assert_eq!(file_name("ä b"), "%C3%A4%20b.kv");
    let (long, other) = ("x".repeat(300), "x".repeat(301));
    assert!(file_name(&long).len() < 220);
    assert_ne!(file_name(&long), file_name(&other));
}

/// The child of `a_set_that_returned_survives_kill`: sets numbered keys and says so, until it is killed.
#[test]
fn child_that_sets_until_it_is_killed() {
    let Some(path) = std::env::var_os("FLUMEN_STATE_CHILD") else { return };
    let store = open(Path::new(&path));
    for n in 0_u64.. {
        store.set(&format!("{}", n % 1000), &n.to_le_bytes()).expect("set");
        println!("set {n}");
        if n % 5000 == 4999 {
            store.maintain();
        }
    }
}

#[test]
fn a_set_that_returned_survives_kill() {
    use std::io::{BufRead as _, BufReader};
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("x.kv");
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..5 {
        let mut child = std::process::Command::new(std::env::current_exe().expect("this test"))
            .args(["child_that_sets_until_it_is_killed", "--nocapture"])
            .env("FLUMEN_STATE_CHILD", &path)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("child");
        let said = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let numbers =
            said.map_while(Result::ok).filter_map(|line| line.strip_prefix("set ")?.parse::<u64>().ok());
        let kill_at = random.u64(500..20_000);
        let mut last = 0;
        // Read to the end: what was said before the kill arrived counts as well.
        for (index, number) in numbers.enumerate() {
            last = number;
            if index as u64 == kill_at {
                child.kill().expect("kill");
            }
        }
        let _status = child.wait().expect("ended");
        let store = open(&path);
        let value = store.get(&format!("{}", last % 1000)).expect("the key is there");
        let stored = u64::from_le_bytes(value.as_ref().try_into().expect("8 bytes"));
        assert!(last >= 500 && stored >= last, "said {last}, stored {stored}");
    }
}
