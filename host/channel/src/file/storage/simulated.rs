//! A file system in memory that loses what a power cut may lose, and fails when told to.
//!
//! ```text
//! file    durable bytes ◀── sync ── writes since, in order          a crash keeps, for each unit of 512 bytes or
//!                                                                   4 KiB, the writes up to any point in time
//! names   durable names ◀── sync_dir ── changes since, in order     a crash keeps any selection of them
//! ```
//!
//! What the process reads is always what it wrote, as from a page cache: also after a `sync` that failed, whose
//! writes will then never become durable.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Storage, StoredFile};

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `EIO`. A `sync` that fails forgets what it should have made durable.
    Io,
    /// `ENOSPC`, at calls that take room.
    Full,
    /// `EINTR`, once.
    Interrupted,
    /// Half of a write or read is done.
    Short,
}

/// A file system; clones are the same one.
#[derive(Clone, Default)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: BTreeMap<u64, Inode>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    changes: Vec<Change>,
    next_inode: u64,
    calls: u64,
    faults: Option<(std::ops::Range<u64>, Fault)>,
    free_bytes: Option<u64>,
    fired: u64,
    /// A copy of everything is made before calls of which this says so.
    watch: Option<Box<dyn FnMut() -> bool + Send>>,
    watched: Vec<SimulatedDisk>,
}

#[derive(Clone, Default)]
struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
    writes: Vec<(usize, Vec<u8>)>,
}

#[derive(Clone)]
enum Change {
    Set(PathBuf, u64),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

/// Which of the changes that were not made durable a crash keeps.
pub trait Chooser {
    /// A number below `n`.
    fn below(&mut self, n: usize) -> usize;
}
impl Chooser for fastrand::Rng {
    fn below(&mut self, n: usize) -> usize {
        self.usize(0..n)
    }
}

impl SimulatedDisk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// How many calls were made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }
    /// How many calls failed on purpose.
    #[must_use]
    pub fn fired(&self) -> u64 {
        self.lock().fired
    }
    /// Lets the calls of these numbers fail.
    pub fn fail(&self, calls: std::ops::Range<u64>, fault: Fault) {
        self.lock().faults = Some((calls, fault));
    }
    /// From now on `is_watched` is asked at every call whether a copy of everything should be kept.
    pub fn watch(&self, is_watched: impl FnMut() -> bool + Send + 'static) {
        self.lock().watch = Some(Box::new(is_watched));
    }
    /// The copies that were kept since the last time this was called.
    #[must_use]
    pub fn watched(&self) -> Vec<SimulatedDisk> {
        std::mem::take(&mut self.lock().watched)
    }
    /// No call fails any more.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.faults = None;
        state.free_bytes = None;
    }
    /// What `free_bytes` says.
    pub fn set_free_bytes(&self, bytes: u64) {
        self.lock().free_bytes = Some(bytes);
    }
    /// The bytes of a file, if there is one of this name.
    #[must_use]
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.lock();
        Some(state.files[state.names.get(path)?].seen.clone())
    }
    /// The number of the file of this name, which it keeps when it is renamed.
    #[must_use]
    pub fn inode(&self, path: &Path) -> Option<u64> {
        self.lock().names.get(path).copied()
    }
    /// Changes a file's bytes behind everybody's back.
    pub fn damage(&self, path: &Path, damage: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        let Some(&inode) = state.names.get(path) else { return };
        let Some(inode) = state.files.get_mut(&inode) else { return };
        damage(&mut inode.seen);
        inode.durable = inode.seen.clone();
        inode.writes.clear();
    }
    /// All files there are.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.lock().names.keys().cloned().collect()
    }
    /// An independent copy of all there is, durable or not.
    #[must_use]
    pub fn copy(&self) -> Self {
        self.lock().copy()
    }
    /// What may be left after the power was cut now. This file system is not changed.
    #[must_use]
    pub fn after_power_cut(&self, choose: &mut dyn Chooser) -> Self {
        let state = self.lock();
        let mut names = state.durable_names.clone();
        for change in &state.changes {
            if choose.below(2) == 1 {
                change.apply(&mut names);
            }
        }
        let unit = if choose.below(2) == 0 { 512 } else { 4096 };
        let files = state.files.iter().map(|(&id, inode)| {
            let bytes = inode.after_power_cut(unit, choose);
            (id, Inode { seen: bytes.clone(), durable: bytes, writes: Vec::new() })
        });
        let files = files.collect();
        Self(Arc::new(Mutex::new(State {
            files,
            names: names.clone(),
            durable_names: names,
            next_inode: state.next_inode,
            ..State::default()
        })))
    }
}

impl Inode {
    /// Each unit as it was at some moment since the last sync, each at another one.
    fn after_power_cut(&self, unit: usize, choose: &mut dyn Chooser) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        // All lost, all kept and everything between are likely enough to be seen often.
        let style = choose.below(4);
        let mut kept_of_unit: BTreeMap<usize, usize> = BTreeMap::new();
        for (at, (offset, data)) in self.writes.iter().enumerate() {
            let end = offset + data.len();
            for unit_at in offset / unit..end.div_ceil(unit) {
                let count = self.writes.len();
                let kept = *kept_of_unit.entry(unit_at).or_insert_with(|| match style {
                    0 => 0,
                    1 => count,
                    _ => choose.below(count + 1),
                });
                if at >= kept {
                    continue;
                }
                let (from, to) = ((unit_at * unit).max(*offset), ((unit_at + 1) * unit).min(end));
                if bytes.len() < to {
                    bytes.resize(to, 0);
                }
                bytes[from..to].copy_from_slice(&data[from - offset..to - offset]);
            }
        }
        if self.seen.len() > bytes.len() && choose.below(2) == 1 {
            bytes.resize(self.seen.len(), 0);
        }
        bytes
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Change::Set(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            Change::Remove(path) => {
                names.remove(path);
            }
            Change::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }
    fn concerns(&self, dir: &Path) -> bool {
        let (Change::Set(path, _) | Change::Remove(path) | Change::Rename(path, _)) = self;
        path.parent() == Some(dir)
    }
}

impl State {
    fn copy(&self) -> SimulatedDisk {
        SimulatedDisk(Arc::new(Mutex::new(State {
            files: self.files.clone(),
            names: self.names.clone(),
            durable_names: self.durable_names.clone(),
            changes: self.changes.clone(),
            next_inode: self.next_inode,
            ..State::default()
        })))
    }
    /// Counts a call; the fault that is to happen at it, if it is one of those that can.
    fn call(&mut self, possible: &[Fault]) -> Option<Fault> {
        let at = self.calls;
        self.calls += 1;
        if self.watch.as_mut().is_some_and(|is_watched| is_watched()) {
            let copy = self.copy();
            self.watched.push(copy);
        }
        let (calls, fault) = self.faults.as_ref()?;
        let once = *fault != Fault::Interrupted || at == calls.start;
        let hit = calls.contains(&at) && possible.contains(fault) && once;
        self.fired += u64::from(hit);
        hit.then_some(*fault)
    }
    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }
    fn fail(&mut self, possible: &[Fault]) -> Result<()> {
        match self.call(possible) {
            None | Some(Fault::Short) => Ok(()),
            Some(Fault::Io) => Err(Error::from_raw_os_error(5)),
            Some(Fault::Full) => Err(Error::from_raw_os_error(28)),
            Some(Fault::Interrupted) => Err(ErrorKind::Interrupted.into()),
        }
    }
}

impl Storage for SimulatedDisk {
    fn make_dir(&self, _: &Path) -> Result<()> {
        self.lock().fail(&[Fault::Io])
    }
    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        let mut state = self.lock();
        state.fail(&[Fault::Io])?;
        let inside = state.names.keys().filter(|p| p.parent() == Some(dir));
        Ok(inside.filter_map(|p| Some(p.file_name()?.to_string_lossy().into_owned())).collect())
    }
    fn create(&self, path: &Path) -> Result<Arc<dyn StoredFile>> {
        let mut state = self.lock();
        state.fail(&[Fault::Io, Fault::Full])?;
        if state.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        state.next_inode += 1;
        let inode = state.next_inode;
        state.files.insert(inode, Inode::default());
        state.change(Change::Set(path.to_owned(), inode));
        Ok(Arc::new(SimulatedFile { disk: self.clone(), inode }))
    }
    fn open(&self, path: &Path) -> Result<Arc<dyn StoredFile>> {
        let mut state = self.lock();
        state.fail(&[Fault::Io])?;
        let inode = *state.names.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(Arc::new(SimulatedFile { disk: self.clone(), inode }))
    }
    fn open_to_write(&self, path: &Path) -> Result<Arc<dyn StoredFile>> {
        self.open(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.lock();
        state.fail(&[Fault::Io, Fault::Full])?;
        if !state.names.contains_key(from) {
            return Err(ErrorKind::NotFound.into());
        }
        state.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }
    fn remove(&self, path: &Path) -> Result<()> {
        let mut state = self.lock();
        state.fail(&[Fault::Io])?;
        if !state.names.contains_key(path) {
            return Err(ErrorKind::NotFound.into());
        }
        state.change(Change::Remove(path.to_owned()));
        Ok(())
    }
    fn sync_dir(&self, dir: &Path) -> Result<()> {
        let mut state = self.lock();
        state.fail(&[Fault::Io])?;
        let state = &mut *state;
        let (durable, later) = std::mem::take(&mut state.changes).into_iter().partition(|c| c.concerns(dir));
        let durable: Vec<Change> = durable;
        durable.iter().for_each(|change| change.apply(&mut state.durable_names));
        state.changes = later;
        Ok(())
    }
    fn free_bytes(&self, _: &Path) -> Result<u64> {
        let mut state = self.lock();
        state.fail(&[Fault::Io])?;
        Ok(state.free_bytes.unwrap_or(1 << 40))
    }
    fn lock(&self, _: &Path) -> Result<Box<dyn Send + Sync>> {
        SimulatedDisk::lock(self).fail(&[Fault::Io])?;
        Ok(Box::new(()))
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    inode: u64,
}

impl SimulatedFile {
    fn with<T>(&self, state: &mut State, work: impl FnOnce(&mut Inode) -> T) -> T {
        work(state.files.entry(self.inode).or_default())
    }
}

impl StoredFile for SimulatedFile {
    fn len(&self) -> Result<u64> {
        let mut state = self.disk.lock();
        state.fail(&[Fault::Io])?;
        Ok(self.with(&mut state, |f| f.seen.len() as u64))
    }
    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let mut state = self.disk.lock();
        let half = match state.call(&[Fault::Io, Fault::Interrupted, Fault::Short]) {
            Some(Fault::Io) => return Err(Error::from_raw_os_error(5)),
            Some(Fault::Interrupted) => return Err(ErrorKind::Interrupted.into()),
            Some(Fault::Short) => into.len().div_ceil(2),
            _ => into.len(),
        };
        self.with(&mut state, |file| {
            let offset = (offset as usize).min(file.seen.len());
            let count = half.min(file.seen.len() - offset);
            into[..count].copy_from_slice(&file.seen[offset..offset + count]);
            Ok(count)
        })
    }
    fn write_at(&self, pieces: &[IoSlice<'_>], offset: u64) -> Result<usize> {
        let mut state = self.disk.lock();
        let mut data: Vec<u8> = pieces.iter().flat_map(|p| p.iter().copied()).collect();
        match state.call(&[Fault::Io, Fault::Full, Fault::Interrupted, Fault::Short]) {
            Some(Fault::Io) => return Err(Error::from_raw_os_error(5)),
            Some(Fault::Full) => return Err(Error::from_raw_os_error(28)),
            Some(Fault::Interrupted) => return Err(ErrorKind::Interrupted.into()),
            Some(Fault::Short) => data.truncate(data.len().div_ceil(2)),
            None => {}
        }
        self.with(&mut state, |file| {
            let (offset, count) = (offset as usize, data.len());
            if file.seen.len() < offset + count {
                file.seen.resize(offset + count, 0);
            }
            file.seen[offset..offset + count].copy_from_slice(&data);
            file.writes.push((offset, data));
            Ok(count)
        })
    }
    fn allocate(&self, bytes: u64) -> Result<()> {
        let mut state = self.disk.lock();
        state.fail(&[Fault::Io, Fault::Full])?;
        self.with(&mut state, |file| {
            if file.seen.len() < bytes as usize {
                file.seen.resize(bytes as usize, 0);
            }
        });
        Ok(())
    }
    fn truncate(&self, bytes: u64) -> Result<()> {
        let mut state = self.disk.lock();
        state.fail(&[Fault::Io])?;
        self.with(&mut state, |file| file.seen.truncate(bytes as usize));
        Ok(())
    }
    fn sync(&self) -> Result<()> {
        let mut state = self.disk.lock();
        let failed = state.fail(&[Fault::Io, Fault::Full]);
        self.with(&mut state, |file| {
            // What a failed sync should have made durable is forgotten: no later one makes up for it.
            let writes = std::mem::take(&mut file.writes);
            if failed.is_err() {
                return;
            }
            for (offset, data) in writes {
                let end = offset + data.len();
                if file.durable.len() < end {
                    file.durable.resize(end, 0);
                }
                file.durable[offset..end].copy_from_slice(&data);
            }
            file.durable.resize(file.seen.len(), 0);
        });
        failed
    }
    fn forget_cache(&self) {}
}
