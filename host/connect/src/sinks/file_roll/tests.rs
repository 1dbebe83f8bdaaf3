//! Disks that are full or broken, and what the roller makes of them. The real file system is tested in
//! `tests/sinks_file_roll.rs`.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flumen_config::Settings;
use flumen_event::{Batch, Span};

use super::Fsync;
use super::disk::{Disk, DiskFile};
use super::roller::{Roller, RollerParts};
use crate::ledger::{SinkCounters, get};
use crate::serializers::build_serializer;

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

#[derive(Default)]
struct State {
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// Bytes that may still be written; a write that does not fit is cut short, as a real one.
    room: Option<usize>,
    write_error: Option<i32>,
    sync_error: Option<i32>,
    cut_error: Option<i32>,
    create_error: Option<i32>,
    writes: Vec<usize>,
    syncs: usize,
    directory_syncs: usize,
}

#[derive(Clone, Default)]
struct FakeDisk(Arc<Mutex<State>>);

impl FakeDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds the lock")
    }
    /// The files' contents in the order of their names.
    fn contents(&self) -> Vec<String> {
        self.state().files.values().map(|f| String::from_utf8_lossy(f).into_owned()).collect()
    }
}

impl FakeDisk {
    /// Of files and of directories.
    fn syncs(&self) -> (usize, usize) {
        let state = self.state();
        (state.syncs, state.directory_syncs)
    }
    fn only_file(&self) -> Vec<u8> {
        let state = self.state();
        assert_eq!(state.files.len(), 1);
        state.files.values().flatten().copied().collect()
    }
}

fn fail(error: Option<i32>) -> io::Result<()> {
    error.map_or(Ok(()), |code| Err(io::Error::from_raw_os_error(code)))
}

impl Disk for FakeDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        fail(state.create_error)?;
        if state.files.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.insert(path.to_owned(), Vec::new());
        Ok(Box::new(FakeFile { disk: self.clone(), path: path.to_owned() }))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.state().files.remove(path).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }
    fn sync_directory(&self, _directory: &Path) -> io::Result<()> {
        self.state().directory_syncs += 1;
        Ok(())
    }
}

struct FakeFile {
    disk: FakeDisk,
    path: PathBuf,
}

impl DiskFile for FakeFile {
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.disk.state();
        fail(state.write_error)?;
        let mut bytes: Vec<u8> = pieces.iter().flat_map(|p| p.to_vec()).collect();
        if let Some(room) = state.room {
            fail((room == 0).then_some(ENOSPC))?;
            bytes.truncate(room);
            state.room = Some(room - bytes.len());
        }
        state.writes.push(bytes.len());
        if let Some(file) = state.files.get_mut(&self.path) {
            file.extend_from_slice(&bytes);
        }
        Ok(bytes.len())
    }
    fn cut_back(&mut self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        fail(state.cut_error)?;
        let file = state.files.get_mut(&self.path).ok_or(io::ErrorKind::NotFound)?;
        let freed = file.len() - len as usize;
        file.truncate(len as usize);
        state.room = state.room.map(|room| room + freed);
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.syncs += 1;
        fail(state.sync_error)
    }
    fn is_deleted(&self) -> bool {
        !self.disk.state().files.contains_key(&self.path)
    }
}

struct Bench {
    disk: FakeDisk,
    roller: Roller,
    counters: Arc<SinkCounters>,
    start: Instant,
}

fn bench(fsync: Fsync, serializer: &str) -> Bench {
    let settings = Settings::from_pairs("a1.sinks.k1", [("sink.serializer", serializer)]);
    let disk = FakeDisk::default();
    let mut roller = Roller::new(RollerParts {
        directory: "/out".into(),
        interval: Some(Duration::from_secs(30)),
        fsync,
        names: super::names::build(&settings, "sink.pathManager").expect("valid"),
        serializers: build_serializer(&settings, "sink.serializer").expect("valid"),
        disk: Box::new(disk.clone()),
    });
    let counters = Arc::new(SinkCounters::default());
    roller.count_in(counters.clone());
    Bench { disk, roller, counters, start: Instant::now() }
}

impl Bench {
    fn opened(mut self) -> Self {
        self.roller.open(self.start).expect("a good disk");
        self
    }
    fn deliver(&mut self, lines: &[&str]) -> Result<(), String> {
        self.roller.deliver(&[batch(lines)], self.start).map_err(|e| e.to_string())
    }
    fn connections(&self) -> (u64, u64, u64) {
        let c = &self.counters;
        (get(&c.connection_created), get(&c.connection_closed), get(&c.connection_failed))
    }
}

fn batch(lines: &[&str]) -> Batch {
    let mut arena = Vec::new();
    let spans = lines.iter().map(|line| {
        arena.extend_from_slice(line.as_bytes());
        arena.push(b'\n');
        Span::new(arena.len() - 1 - line.len()..arena.len() - 1)
    });
    let spans = spans.collect();
    Batch::from_arena(Bytes::from(arena), spans)
}

#[test]
fn a_full_disk_leaves_no_torn_line_and_the_same_file_goes_on_when_there_is_room() {
    let mut bench = bench(Fsync::Never, "text").opened();
    bench.deliver(&["kept"]).expect("room");
    bench.disk.state().room = Some(6);
    for _ in 0..3 {
        let error = bench.deliver(&["first", "second"]).expect_err("six bytes of room");
        assert!(error.starts_with("no space for /out/") && error.contains("goes on there"), "{error}");
        assert_eq!(bench.disk.contents(), ["kept\n"]);
    }
    bench.disk.state().room = None;
    bench.deliver(&["first", "second"]).expect("room again");
    assert_eq!(bench.disk.contents(), ["kept\nfirst\nsecond\n"]);
    assert_eq!(bench.connections(), (1, 0, 0));
}

#[test]
fn a_full_disk_leaves_an_avro_file_of_whole_blocks() {
    let mut bench = bench(Fsync::Never, "avro_event").opened();
    bench.deliver(&["kept"]).expect("room");
    let good = bench.disk.only_file();
    bench.disk.state().room = Some(3);
    bench.deliver(&["again"]).expect_err("three bytes of room");
    assert_eq!(bench.disk.only_file(), good);
    bench.disk.state().room = None;
    bench.deliver(&["again"]).expect("room again");
    // One event, not two: the block that failed was forgotten. Seven bytes: no headers, "again".
    assert!(bench.disk.only_file()[good.len()..].starts_with(b"\x02\x0e\x00\x0aagain"));
}

#[test]
fn a_disk_that_is_full_when_a_file_begins_leaves_no_file() {
    let mut bench = bench(Fsync::Never, "avro_event");
    bench.disk.state().room = Some(10);
    let error = bench.roller.open(bench.start).expect_err("the header does not fit").to_string();
    assert!(error.starts_with("cannot open /out/"), "{error}");
    assert_eq!(bench.disk.contents(), [""; 0]);
    bench.disk.state().room = None;
    bench.roller.open(bench.start).expect("room");
    let name = bench.disk.state().files.keys().next().cloned().expect("one file");
    assert!(name.to_string_lossy().ends_with("-1"), "no number was used up: {name:?}");
    assert_eq!(bench.connections(), (1, 0, 1));
}

#[test]
fn after_an_input_output_error_the_next_attempt_is_made_in_a_new_file() {
    let mut bench = bench(Fsync::Never, "text").opened();
    bench.deliver(&["kept"]).expect("good disk");
    bench.disk.state().write_error = Some(EIO);
    let error = bench.deliver(&["next"]).expect_err("broken disk");
    assert!(error.contains("cannot write /out/") && error.contains("new file"), "{error}");
    bench.disk.state().write_error = None;
    bench.deliver(&["next"]).expect("good disk");
    assert_eq!(bench.disk.contents(), ["kept\n", "next\n"]);
}

#[test]
fn a_broken_disk_is_not_littered_with_empty_files() {
    let mut bench = bench(Fsync::Never, "text").opened();
    bench.disk.state().write_error = Some(EIO);
    for _ in 0..5 {
        bench.deliver(&["x"]).expect_err("broken disk");
    }
    bench.disk.state().write_error = None;
    bench.deliver(&["x"]).expect("good disk");
    assert_eq!(bench.disk.contents(), ["x\n"]);
    assert_eq!(bench.connections(), (6, 0, 5));
}

#[test]
fn a_write_that_cannot_be_taken_back_is_left_behind_and_its_events_come_again_elsewhere() {
    let mut bench = bench(Fsync::Never, "text").opened();
    bench.deliver(&["kept"]).expect("room");
    bench.disk.state().room = Some(2);
    bench.disk.state().cut_error = Some(EIO);
    let error = bench.deliver(&["next"]).expect_err("two bytes of room");
    assert!(error.contains("new file"), "{error}");
    bench.disk.state().room = None;
    bench.disk.state().cut_error = None;
    bench.deliver(&["next"]).expect("good disk");
    assert_eq!(bench.disk.contents(), ["kept\nne", "next\n"]);
}

#[test]
fn with_fsync_a_batch_is_on_the_disk_or_not_delivered() {
    let mut bench = bench(Fsync::Batch, "text").opened();
    assert_eq!(bench.disk.syncs(), (1, 1));
    bench.deliver(&["kept"]).expect("good disk");
    assert_eq!(bench.disk.syncs(), (2, 1));
    for error in [EIO, ENOSPC] {
        bench.disk.state().sync_error = Some(error);
        let text = bench.deliver(&["next"]).expect_err("sync fails");
        assert!(text.contains("cannot sync /out/"), "{text}");
        bench.disk.state().sync_error = None;
        bench.deliver(&["next"]).expect("good disk");
    }
    assert_eq!(bench.disk.contents(), ["kept\n", "next\n", "next\n"]);
}

#[test]
fn without_fsync_nothing_is_synced() {
    let mut bench = bench(Fsync::Never, "text").opened();
    bench.deliver(&["a"]).expect("good disk");
    bench.roller.close();
    assert_eq!(bench.disk.syncs(), (0, 0));
}

#[test]
fn a_batch_written_to_a_deleted_file_is_written_again_to_a_new_one() {
    let mut bench = bench(Fsync::Never, "text").opened();
    bench.deliver(&["gone"]).expect("good disk");
    bench.disk.state().files.clear();
    bench.deliver(&["next"]).expect("a new file");
    assert_eq!(bench.disk.contents(), ["next\n"]);
    assert_eq!(bench.connections(), (2, 1, 0));
}

#[test]
fn a_taken_name_is_passed_over() {
    let mut bench = bench(Fsync::Never, "text").opened();
    let first = bench.disk.state().files.keys().next().cloned().expect("one file");
    let second = first.to_string_lossy().replace("-1", "-2");
    bench.disk.state().files.insert(second.into(), b"another's".to_vec());
    bench.roller.idle(bench.start + Duration::from_secs(30)).expect("good disk");
    bench.deliver(&["mine"]).expect("good disk");
    assert_eq!(bench.disk.contents(), ["", "another's", "mine\n"]);
}

#[test]
fn files_roll_at_fixed_times_with_or_without_events() {
    let mut bench = bench(Fsync::Never, "text").opened();
    let after = |seconds| bench.start + Duration::from_secs(seconds);
    let times = [after(29), after(30), after(59), after(60), after(1000)];
    let mut files = Vec::new();
    for now in times {
        bench.roller.idle(now).expect("good disk");
        files.push(bench.disk.contents().len());
    }
    assert_eq!(files, [1, 2, 2, 3, 4], "missed rolls are not made up for");
    assert_eq!(bench.roller.roll_at(), Some(bench.start + Duration::from_secs(1020)));
    bench.roller.deliver(&[batch(&["late"])], bench.start + Duration::from_secs(1020)).expect("good disk");
    assert_eq!(bench.disk.contents(), ["", "", "", "", "late\n"]);
    assert_eq!(bench.connections(), (5, 4, 0));
}

#[test]
fn a_roll_that_fails_is_tried_again_with_the_next_batch() {
    let mut bench = bench(Fsync::Never, "text").opened();
    bench.deliver(&["kept"]).expect("good disk");
    bench.disk.state().create_error = Some(EIO);
    let due = bench.start + Duration::from_secs(30);
    bench.roller.idle(due).expect_err("no new file");
    assert_eq!(bench.roller.roll_at(), Some(due + Duration::from_secs(30)), "idle is not called in a loop");
    bench.deliver(&["next"]).expect_err("no new file");
    bench.disk.state().create_error = None;
    bench.deliver(&["next"]).expect("good disk");
    assert_eq!(bench.disk.contents(), ["kept\n", "next\n"]);
}

#[test]
fn batches_are_written_with_few_calls() {
    let mut bench = bench(Fsync::Never, "text").opened();
    let small: Vec<Batch> = (0..50).map(|_| batch(&["a line of text"; 100])).collect();
    bench.roller.deliver(&small, bench.start).expect("good disk");
    assert_eq!(bench.disk.state().writes, [50 * 100 * 15], "small pieces are gathered");
    bench.disk.state().writes.clear();
    let large = batch(&["a line of text"; 20_000]);
    bench.roller.deliver(&[small[0].clone(), large], bench.start).expect("good disk");
    assert_eq!(
        bench.disk.state().writes,
        [100 * 15 + 20_000 * 15],
        "a large piece takes the small one along"
    );
}
