//! `flumen channel`: a file channel without its agent.

mod import_flume;

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use flumen_channel::file::tools::{SegmentReport, Target};
use flumen_config::{Diagnostics, Settings, render};
use flumen_connect::channels::file_target;
use flumen_event::{Batch, EventRef};
use serde_json::{Map, Value};

use super::agent::complain;
use super::print;
use crate::cli::{ChannelArgs, ChannelCommand, ChannelTarget};

/// Does it; what goes wrong is said, with exit status 1.
#[must_use]
pub fn run(args: &ChannelArgs) -> ExitCode {
    let done = match &args.command {
        ChannelCommand::Inspect(target) => find(target).and_then(|t| inspect(&t)),
        ChannelCommand::Verify(target) => find(target).and_then(|t| verify(&t)),
        ChannelCommand::Export { target, output } => find(target).and_then(|t| export(&t, output.as_deref())),
        ChannelCommand::ImportFlume(args) => import_flume::import(args),
        ChannelCommand::Repair { target, backup } => find(target).and_then(|t| repair(&t, backup)),
    };
    done.unwrap_or_else(|error| {
        complain(&format!("flumen channel: {error}\n"));
        ExitCode::FAILURE
    })
}

type Outcome = Result<ExitCode, String>;

fn find(args: &ChannelTarget) -> Result<Target, String> {
    let readable = |findings: Diagnostics| {
        let texts: Vec<String> = findings.iter().map(|finding| finding.message.clone()).collect();
        texts.join("; ")
    };
    if let (Some(data_dirs), Some(checkpoint_dir)) = (&args.data_dirs, &args.checkpoint_dir) {
        let pairs = [("dataDirs", data_dirs.as_str()), ("checkpointDir", checkpoint_dir.as_str())];
        return file_target(&Settings::from_pairs("channel", pairs)).map_err(readable);
    }
    let loaded = super::load(&args.conf_file, &args.config);
    let (agent, channel) =
        (args.name.as_deref().unwrap_or_default(), args.channel.as_deref().unwrap_or_default());
    let found = loaded.agent(agent).and_then(|a| a.channels.iter().find(|c| c.name == channel));
    let Some(found) = found else {
        let findings = render::text(&loaded.diagnostics, &loaded.sources, render::Colour::Never);
        return Err(format!("{findings}the configuration has no channel `{channel}` of an agent `{agent}`"));
    };
    if !matches!(found.resolution, flumen_config::Resolution::Ready("file" | "spillablememory")) {
        return Err(format!("the channel `{channel}` is of type {}, which has no files", found.type_text));
    }
    file_target(&found.settings).map_err(readable)
}

fn inspect(target: &Target) -> Outcome {
    let segments = target.inspect().map_err(|e| e.to_string())?;
    let mut text =
        String::from("segment                                   bytes       events      pending  key\n");
    for SegmentReport { path, file_bytes, events, pending, sealed_with, .. } in &segments {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let key = sealed_with.as_ref().map_or("-", |(_, key)| key);
        text.push_str(&format!("{name:<34} {file_bytes:>12} {events:>12} {pending:>12}  {key}\n"));
    }
    let with_pending = || segments.iter().filter(|s| s.pending > 0);
    let bytes: u64 = segments.iter().map(|s| s.file_bytes).sum();
    let pending: u64 = segments.iter().map(|s| s.pending).sum();
    text.push_str(&format!("{} segments, {bytes} bytes, {pending} events pending\n", segments.len()));
    if let Some(put_at_ms) = with_pending().map(|s| s.put_at_ms).filter(|at| *at > 0).min() {
        text.push_str(&format!("the oldest segment with pending events was begun at {}\n", time(put_at_ms)));
    }
    let mut keys: Vec<&str> =
        with_pending().filter_map(|s| s.sealed_with.as_ref()).map(|(_, key)| key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    if !keys.is_empty() {
        text.push_str(&format!("keys needed: {}\n", keys.join(" ")));
    }
    Ok(print(&text))
}

fn time(ms: u64) -> String {
    let at = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.map_or_else(|| format!("{ms} ms since 1970"), |at| at.to_string())
}

fn verify(target: &Target) -> Outcome {
    let (records, damage) = target.verify().map_err(|e| e.to_string())?;
    let mut text = String::new();
    for place in &damage {
        let events = place.events.map_or_else(String::new, |events| format!(", a put of {events} events"));
        text.push_str(&format!(
            "{}: {} bytes at {} are damaged{events}\n",
            place.path.display(),
            place.bytes,
            place.offset
        ));
    }
    text.push_str(&format!("{records} good records, {} damaged places\n", damage.len()));
    let printed = print(&text);
    Ok(if damage.is_empty() { printed } else { ExitCode::FAILURE })
}

fn export(target: &Target, output: Option<&Path>) -> Outcome {
    let out: Box<dyn Write> = match output {
        Some(path) => {
            let file = std::fs::File::create_new(path);
            Box::new(file.map_err(|error| format!("cannot make {}: {error}", path.display()))?)
        }
        None => Box::new(std::io::stdout().lock()),
    };
    let mut out = BufWriter::with_capacity(1 << 18, out);
    let given =
        target.export(|batch: &Batch| batch.iter().try_for_each(|event| writeln!(out, "{}", as_json(event))));
    let given = given.map_err(|e| e.to_string())?;
    out.flush().map_err(|error| format!("cannot write: {error}"))?;
    complain(&format!("{given} events; they are still in the channel\n"));
    Ok(ExitCode::SUCCESS)
}

/// An event as Flume's JSON handler takes it; a body that is not UTF-8 comes as `bodyHex` instead.
fn as_json(event: EventRef<'_>) -> Value {
    let headers: Map<String, Value> =
        event.headers().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let mut object = Map::new();
    object.insert("headers".to_owned(), Value::Object(headers));
    match str::from_utf8(event.body()) {
        Ok(text) => object.insert("body".to_owned(), text.into()),
        Err(_) => {
            let hex: String = event.body().iter().map(|byte| format!("{byte:02x}")).collect();
            object.insert("bodyHex".to_owned(), hex.into())
        }
    };
    Value::Object(object)
}

fn repair(target: &Target, backup: &Path) -> Outcome {
    let (written, lost) = target.repair(backup).map_err(|e| e.to_string())?;
    Ok(print(&format!(
        "{written} events written anew, {lost} could not be read; the channel as it was is in {}\n",
        backup.display()
    )))
}
