//! The options of the file channel, and what they mean for its log.

use std::path::PathBuf;
use std::time::Duration;

use flumen_channel::file::{FileLimits, LOAD_BYTES, LogOptions, SEGMENT_BYTES, SyncPolicy, WINDOW_BYTES};
use flumen_config::options::Count;
use flumen_config::{Diagnostic, Diagnostics, Settings, options};

use flumen_config::options::Below;

/// Flume's smallest `minimumRequiredSpace`.
const MINIMUM_SPACE_FLOOR: u64 = 1 << 20;
/// Flume's largest `maxFileSize`, which is also its default.
const MAX_FILE_SIZE: u64 = 2_147_483_647 - 524_288_000;
/// After a failure a folder is tried again this often at most.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

options! {
    /// Holds events on disk. A put returns when the events are durable (`fdatasync`), so that what was accepted
    /// survives the death of the process and of the machine. Events are written in groups: while one group is being
    /// made durable the next one collects, so many sources, or large batches, cost few syncs. Sinks read from memory
    /// while they keep up, and from disk when they do not; memory does not grow with what is pending. The start takes
    /// as long as reading one segment of at most 64 MiB for each folder. Damaged records are set aside in
    /// `dataDirs/damaged`, counted and passed over; they never keep the channel from starting.
    ///
    /// The directories of a Flume file channel are not read: see `flumen channel import-flume`.
    pub struct FileOptions {
        /// Folder of the checkpoint, which makes the start quicker and nothing else: it may be deleted. Default:
        /// `~/.flume/file-channel/checkpoint`. Two channels cannot share a folder.
        "checkpointDir" => checkpoint_dir: Option<String>,
        /// Folders of the events, separated by commas; best on different disks, over which they are spread.
        /// Default: `~/.flume/file-channel/data`.
        "dataDirs" => data_dirs: Option<String>,
        /// Keeps a second checkpoint in `backupCheckpointDir`.
        "useDualCheckpoints" => use_dual_checkpoints: bool = false,
        /// Folder of the second checkpoint; required with `useDualCheckpoints`, and another one than `checkpointDir`.
        "backupCheckpointDir" => backup_checkpoint_dir: Option<String>,
        /// Accepted for Flume's sake, without effect: a checkpoint here is a few kilobytes, whatever is pending.
        "compressBackupCheckpoint" => compress_backup_checkpoint: bool = false,
        /// Most events a sink takes at once. Not above `capacity`.
        "transactionCapacity" => transaction_capacity: Count = Count(10_000), lenient;
        /// Milliseconds between checkpoints.
        "checkpointInterval" => checkpoint_interval_ms: Count = Count(30_000), lenient;
        /// Largest file, in bytes. Files here are at most 64 MiB, because disk space comes free by whole files; a
        /// smaller value makes them smaller. A single batch that is larger has a file to itself.
        "maxFileSize" => max_file_size: u64 = MAX_FILE_SIZE, lenient;
        /// Below this many free bytes on the disk of a folder puts are refused; what is there can still be taken, and
        /// puts work again as soon as there is room. At least 1048576.
        "minimumRequiredSpace" => minimum_required_space: u64 = 524_288_000, lenient;
        /// Most events in the channel, taken but uncommitted ones included. A limit and no layout: it may be changed
        /// at any time.
        "capacity" => capacity: Count = Count(1_000_000), lenient;
        /// Seconds that a put waits for room before it is refused.
        "keep-alive" => keep_alive_s: u64 = 3, lenient;
        /// Accepted for Flume's sake, without effect: there is one way to start, and it reads little.
        "use-log-replay-v1" => use_log_replay_v1: bool = false,
        /// Accepted for Flume's sake, without effect: there is one way to start, and it reads little.
        "use-fast-replay" => use_fast_replay: bool = false,
        /// Whether a checkpoint is written at an orderly stop, so that the next start reads no events at all.
        "checkpointOnClose" => checkpoint_on_close: bool = true,
        /// Whether a put waits until its events are durable. With `false` the events of the last `fsyncInterval`
        /// are lost with the power, though not with the process.
        "fsyncPerTransaction" => fsync_per_transaction: bool = true,
        /// Seconds between syncs where `fsyncPerTransaction` is `false`.
        "fsyncInterval" => fsync_interval_s: Count = Count(5), lenient;
        /// Name of the key that bodies and headers are encrypted with. Not set: they are not encrypted. See
        /// `encryption.*` below: all four are then required.
        "encryption.activeKey" => active_key: Option<String>,
        /// `AESCTRNOPADDING`, as in Flume, or `AESGCMNOPADDING`, which also notices changes and is the better choice.
        /// What the other one has written stays readable.
        "encryption.cipherProvider" => cipher_provider: Option<String>,
        /// `JCEKSFILE`: the keys are in a key store file.
        "encryption.keyProvider" => key_provider: Option<String>,
        /// The key store, of any type that `keytool` makes.
        "encryption.keyProvider.keyStoreFile" => key_store_file: Option<String>,
        /// File with the password of the key store.
        "encryption.keyProvider.keyStorePasswordFile" => key_store_password_file: Option<String>,
        /// Names of all keys that events in the channel are encrypted with, separated by blanks: after a new key was
        /// made active, the old one stays here until its events are delivered.
        "encryption.keyProvider.keys" => keys: Option<String>,
        /// `encryption.keyProvider.keys.NAME.passwordFile`: file with the password of a key, if it has another one than
        /// the key store.
        "encryption.keyProvider.keys." => key_password_files: Below,
    }
}

/// The limits that the options amount to.
pub(super) fn limits(
    options: &FileOptions,
    settings: &Settings,
    diagnostics: &mut Diagnostics,
) -> Option<FileLimits> {
    let (capacity, transaction_capacity) = (options.capacity.0, options.transaction_capacity.0);
    let mut failed = false;
    let mut fail = |finding: Diagnostic| {
        diagnostics.push(finding);
        failed = true;
    };
    if transaction_capacity > capacity {
        let key =
            if settings.get("transactionCapacity").is_some() { "transactionCapacity" } else { "capacity" };
        fail(
            Diagnostic::error(
                "transaction-capacity",
                format!(
                    "`transactionCapacity` ({transaction_capacity}) is higher than `capacity` ({capacity})"
                ),
            )
            .on(settings.path())
            .at(&settings.origin(key))
            .help(format!(
                "set `capacity` to at least {transaction_capacity}, or lower `transactionCapacity`"
            )),
        );
    }
    let checkpoint_dir = PathBuf::from(
        options.checkpoint_dir.clone().unwrap_or_else(|| below_home(".flume/file-channel/checkpoint")),
    );
    let data_dirs = options.data_dirs.clone().unwrap_or_else(|| below_home(".flume/file-channel/data"));
    let data_dirs: Vec<PathBuf> =
        data_dirs.split(',').map(str::trim).filter(|dir| !dir.is_empty()).map(PathBuf::from).collect();
    let backup = options.use_dual_checkpoints.then(|| options.backup_checkpoint_dir.clone()).flatten();
    if data_dirs.is_empty() {
        fail(
            Diagnostic::error("missing-dir", "`dataDirs` names no folder".to_owned())
                .on(settings.path())
                .at(&settings.origin("dataDirs")),
        );
    }
    if options.use_dual_checkpoints && backup.is_none() {
        fail(
            Diagnostic::error("missing-key", "`useDualCheckpoints` needs a `backupCheckpointDir`".to_owned())
                .on(settings.path())
                .at(&settings.origin("useDualCheckpoints"))
                .help("name a folder on another disk, or set `useDualCheckpoints = false`".to_owned()),
        );
    }
    let backup = backup.map(PathBuf::from);
    let all: Vec<&PathBuf> = data_dirs.iter().chain([&checkpoint_dir]).chain(&backup).collect();
    if let Some(twice) = all.iter().enumerate().find_map(|(at, dir)| all[..at].contains(dir).then_some(dir)) {
        let key = if backup.as_ref() == Some(*twice) { "backupCheckpointDir" } else { "checkpointDir" };
        let key = if data_dirs.iter().filter(|dir| *dir == *twice).count() > 1 { "dataDirs" } else { key };
        fail(
            Diagnostic::error("same-dir", format!("the folder `{}` is named twice", twice.display()))
                .on(settings.path())
                .at(&settings.origin(key))
                .help("give each its own folder".to_owned()),
        );
    }
    let sync = match options.fsync_per_transaction {
        true => SyncPolicy::EachTransaction,
        false => SyncPolicy::Every(Duration::from_secs(options.fsync_interval_s.0 as u64)),
    };
    (!failed).then(|| FileLimits {
        capacity,
        transaction_capacity,
        keep_alive: Duration::from_secs(options.keep_alive_s),
        spill: None,
        log: LogOptions {
            data_dirs,
            checkpoint_dir,
            backup_checkpoint_dir: backup,
            checkpoint_interval: Duration::from_millis(options.checkpoint_interval_ms.0 as u64),
            checkpoint_on_close: options.checkpoint_on_close,
            segment_bytes: options.max_file_size.clamp(1, SEGMENT_BYTES),
            minimum_free_bytes: options.minimum_required_space.max(MINIMUM_SPACE_FLOOR),
            sync,
            window_bytes: WINDOW_BYTES,
            load_bytes: LOAD_BYTES,
            retry_pause: RETRY_PAUSE,
            prepares_segments: true,
        },
    })
}

/// A path below the user's home folder, as Java's `user.home` gives it.
fn below_home(path: &str) -> String {
    let home = std::env::var("HOME").ok().filter(|home| !home.is_empty()).unwrap_or_else(|| "/".to_owned());
    format!("{home}/{path}")
}

#[cfg(test)]
mod tests {
    use flumen_config::Options;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Option<FileLimits>, Vec<String>) {
        let mut diagnostics = Diagnostics::default();
        let settings = Settings::from_pairs("a1.channels.c1", pairs.iter().copied());
        let options = FileOptions::read(&settings, &mut diagnostics);
        let limits = options.and_then(|options| limits(&options, &settings, &mut diagnostics));
        (limits, diagnostics.iter().map(|d| d.message.clone()).collect())
    }

    #[test]
    fn defaults_are_flumes() {
        let (limits, messages) = read(&[]);
        let limits = limits.expect("valid");
        assert!(messages.is_empty(), "{messages:?}");
        assert_eq!((limits.capacity, limits.transaction_capacity), (1_000_000, 10_000));
        assert_eq!(limits.keep_alive, Duration::from_secs(3));
        assert_eq!(limits.log.checkpoint_interval, Duration::from_secs(30));
        assert_eq!(limits.log.minimum_free_bytes, 524_288_000);
        assert_eq!(limits.log.sync, SyncPolicy::EachTransaction);
        assert!(limits.log.checkpoint_on_close && limits.log.backup_checkpoint_dir.is_none());
        assert!(limits.log.data_dirs[0].ends_with(".flume/file-channel/data"));
        assert!(limits.log.checkpoint_dir.ends_with(".flume/file-channel/checkpoint"));
    }

    #[test]
    fn bad_numbers_fall_back_to_defaults_with_a_warning() {
        let (limits, messages) = read(&[
            ("capacity", "0"),
            ("checkpointInterval", "-1"),
            ("fsyncInterval", "x"),
            ("fsyncPerTransaction", "false"),
        ]);
        let limits = limits.expect("valid");
        assert_eq!((limits.capacity, messages.len()), (1_000_000, 3), "{messages:?}");
        assert_eq!(limits.log.sync, SyncPolicy::Every(Duration::from_secs(5)));
    }

    #[test]
    fn sizes_are_kept_within_their_bounds() {
        let (limits, _) = read(&[("maxFileSize", "1000000"), ("minimumRequiredSpace", "5")]);
        let log = limits.expect("valid").log;
        assert_eq!((log.segment_bytes, log.minimum_free_bytes), (1_000_000, 1 << 20));
        let (limits, _) = read(&[("maxFileSize", "2146435071")]);
        assert_eq!(limits.map(|l| l.log.segment_bytes), Some(SEGMENT_BYTES));
    }

    #[test]
    fn several_data_dirs_are_separated_by_commas() {
        let (limits, _) = read(&[("dataDirs", "/a/d1, /b/d2,"), ("checkpointDir", "/a/cp")]);
        let log = limits.expect("valid").log;
        assert_eq!(log.data_dirs, ["/a/d1", "/b/d2"].map(PathBuf::from));
    }

    #[test]
    fn folders_that_clash_are_errors() {
        let dual = [("useDualCheckpoints", "true"), ("checkpointDir", "/cp"), ("dataDirs", "/d")];
        let (limits, messages) = read(&dual);
        assert!(limits.is_none() && messages[0].contains("backupCheckpointDir"), "{messages:?}");
        let same = [&dual[..], &[("backupCheckpointDir", "/cp")]].concat();
        let (limits, messages) = read(&same);
        assert!(limits.is_none() && messages[0].contains("`/cp` is named twice"), "{messages:?}");
        let (limits, messages) = read(&[("dataDirs", "/d,/d")]);
        assert!(limits.is_none() && messages[0].contains("`/d` is named twice"), "{messages:?}");
    }

    #[test]
    fn a_transaction_larger_than_the_channel_is_an_error() {
        let (limits, messages) = read(&[("capacity", "10")]);
        assert!(limits.is_none() && messages[0].contains("higher than `capacity`"), "{messages:?}");
    }
}
