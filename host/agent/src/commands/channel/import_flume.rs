//! `flumen channel import-flume`: carries the pending events of a Flume file channel into a durable channel of ours.
//!
//! ```text
//! Flume's folders ──(read only, Flume kept out)──▶ FlumeChannel ──▶ put_all ──▶ the channel of the configuration
//! ```
//! The channel is built as the agent would build it, so its options mean the same. Each batch is on disk before the
//! next is read. Nothing of Flume's is changed, so an import that was interrupted can be done again: into the
//! emptied channel, or with `--skip` behind what is there.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use flumen_channel::{Channel, Gate, Patience, put_all};
use flumen_config::{ComponentConfig, Resolution, Settings, render};
use flumen_connect::channels;
use flumen_flumelog::{FlumeChannel, FlumeDirectories};
use flumen_keystore::{KeyFiles, SecretKey};

use crate::cli::ImportFlumeArgs;
use crate::commands::{load, print};

const STORE: &str = "encryption.keyProvider.keyStoreFile";
const STORE_PASSWORD: &str = "encryption.keyProvider.keyStorePasswordFile";
const KEYS: &str = "encryption.keyProvider.keys";

/// Imports, and prints what was found and done.
pub(super) fn import(args: &ImportFlumeArgs) -> Result<ExitCode, String> {
    let loaded = load(&args.conf_file, &args.config);
    let component = loaded
        .agent(&args.name)
        .and_then(|agent| agent.channels.iter().find(|channel| channel.name == args.channel))
        .ok_or_else(|| {
            let findings = render::text(&loaded.diagnostics, &loaded.sources, render::Colour::Never);
            format!(
                "{findings}the configuration has no agent `{}` with a channel `{}`",
                args.name, args.channel
            )
        })?;
    let directories = FlumeDirectories::below(&args.directories).map_err(|error| error.to_string())?;
    let keys = keys(&component.settings)?;
    let source = FlumeChannel::open(&directories, &keys).map_err(|error| error.to_string())?;
    if args.dry_run {
        return Ok(print(&format!("{}nothing was imported (--dry-run)\n", source.report())));
    }
    let gate = Arc::new(Gate::default());
    let channel = build(component, &gate)?;
    channel.open().map_err(|cause| format!("channel `{}` cannot be opened: {cause}", args.channel))?;
    let moved = check_room(&*channel, &source, args).and_then(|()| carry(&channel, &gate, source, args.skip));
    channel.close();
    Ok(print(&moved?))
}

fn build(component: &ComponentConfig, gate: &Arc<Gate>) -> Result<Arc<dyn Channel>, String> {
    let name = &component.name;
    let Resolution::Ready(kind) = component.resolution else {
        return Err(format!(
            "channel `{name}` has the type `{}`, which cannot be loaded",
            component.type_text
        ));
    };
    let found = channels::TYPES.iter().find(|found| found.spec.name == kind);
    let found = found.ok_or_else(|| format!("channel `{name}` has no type that can be built"))?;
    let channel = (found.build)(&component.settings, gate.clone()).map_err(|diagnostics| {
        let messages: Vec<&str> = diagnostics.iter().map(|d| d.message.as_str()).collect();
        format!("channel `{name}` cannot be built: {}", messages.join("; "))
    })?;
    if !channel.is_durable() {
        return Err(format!("channel `{name}` is a {kind} channel: what is imported would be gone at once"));
    }
    Ok(channel)
}

/// Nobody takes while this runs, so what does not fit now never will.
fn check_room(channel: &dyn Channel, source: &FlumeChannel, args: &ImportFlumeArgs) -> Result<(), String> {
    let (here, pending) = (channel.status().events, source.report().pending.saturating_sub(args.skip));
    if here > 0 && !args.append {
        return Err(format!(
            "channel `{}` already holds {here} events. If an import was interrupted, these are its first: repeat it with `--append --skip {here}`. If they are others, use `--append`",
            args.channel
        ));
    }
    let capacity = channel.limits().capacity;
    if here + pending > capacity {
        return Err(format!(
            "{pending} events do not fit into channel `{}`, which holds {here} and has a capacity of {capacity}: raise its capacity",
            args.channel
        ));
    }
    Ok(())
}

fn carry(
    channel: &Arc<dyn Channel>,
    gate: &Gate,
    mut source: FlumeChannel,
    skip: usize,
) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no threads can be started: {error}"))?;
    let (mut left_to_skip, mut imported) = (skip, 0);
    for batch in source.by_ref() {
        let mut batch = batch.map_err(|error| stopped(&error, skip + imported))?;
        let skipped = left_to_skip.min(batch.len());
        left_to_skip -= skipped;
        drop(batch.split_to(skipped));
        // A capacity below Flume's batches of a thousand is no reason to refuse.
        while !batch.is_empty() {
            let part = batch.split_to(batch.len().min(channel.limits().capacity));
            let count = part.len();
            let put = runtime.block_on(async {
                put_all(&[(channel.clone(), part)], Patience::KeepAlive, gate, || ()).await
            });
            put.map_err(|error| stopped(&error, skip + imported))?;
            imported += count;
        }
    }
    let mut text = source.report().to_string();
    // Writing to a text cannot fail.
    let _infallible = writeln!(
        text,
        "{imported} events imported; move Flume's folders away before they are imported again"
    );
    Ok(text)
}

fn stopped(cause: &dyn std::error::Error, done: usize) -> String {
    format!("{cause}\nthe import stopped: repeat it with `--append --skip {done}`")
}

/// The keys that the channel's own options name, for logs that Flume has encrypted.
fn keys(settings: &Settings) -> Result<Vec<(String, SecretKey)>, String> {
    let (Some(store), Some(password)) = (settings.text(STORE), settings.text(STORE_PASSWORD)) else {
        return Ok(Vec::new());
    };
    let mut names = settings.words(KEYS);
    names.extend(settings.text("encryption.activeKey").filter(|active| !names.contains(active)));
    let password_file = |name: &str| settings.text(&format!("{KEYS}.{name}.passwordFile")).map(Into::into);
    let files = KeyFiles {
        store: store.into(),
        store_password: password.into(),
        keys: names.iter().map(|name| ((*name).to_owned(), password_file(name))).collect(),
    };
    files.load().map_err(|error| error.to_string())
}
