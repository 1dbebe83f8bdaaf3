//! `flumen avro-client`: the lines of a file, a folder or standard input to an avro source, as `flume-ng avro-client`.
//!
//! ```text
//! input     lines, in batches        file, folder (its files are renamed when they are sent), or standard input
//! rpc       `--host`, `--port`, or the properties of `--rpcProps`
//! progress  on a terminal
//! ```
//! Exit status 0: everything was accepted. 1: not, and the reason is on standard error; of the file that it happened
//! in, some lines may have been accepted.

mod input;
mod progress;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use flumen_config::{Diagnostics, Settings, SourceText, SourceTexts, read_properties, render};
use flumen_connect::rpc::avro::{AvroClient, AvroTarget};
use flumen_connect::rpc::properties::{TIMEOUT_MS, client};
use flumen_connect::rpc::{RpcClient, RpcError};
use flumen_connect::tls;
use flumen_event::{Batch, HeaderName};

use crate::cli::{AvroClientArgs, properties as properties_of};
use input::Lines;
use progress::Progress;

/// What Flume's client sends at once when nothing else is said.
const BATCH_SIZE: usize = 5;
/// Larger properties files are no properties files.
const PROPERTIES_BYTES_MAX: u64 = 1 << 20;

/// Why not everything was sent.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("Unable to parse command line options - {0}")]
    Usage(String),
    #[error("Unable to send data to Flume: {what} {}: {error}", path.display())]
    File { what: &'static str, path: PathBuf, error: std::io::Error },
    #[error("Unable to send data to Flume: {0}")]
    Input(std::io::Error),
    #[error("Unable to open connection to Flume: {0}")]
    Properties(String),
    #[error("Unable to deliver events to Flume: {error}; {sent} events were accepted before")]
    Delivery { error: RpcError, sent: u64 },
}

/// Sends what the arguments name.
pub fn run(args: &AvroClientArgs) -> ExitCode {
    match try_run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            // If nobody reads the reason, the status is left.
            let _unread = writeln!(std::io::stderr(), "flumen: {failed}");
            ExitCode::FAILURE
        }
    }
}

fn try_run(args: &AvroClientArgs) -> Result<(), Failed> {
    if args.filename.is_some() && args.dirname.is_some() {
        let text = "--filename and --dirname options cannot be used simultaneously";
        return Err(Failed::Usage(text.to_owned()));
    }
    let given = properties_of(args.properties.iter().map(String::as_str));
    tls::set_globals(tls::Globals::read(|name| given.get(name).cloned(), |name| std::env::var(name).ok()));
    let rpc = rpc(args)?;
    let headers = args.header_file.as_deref().map(headers).transpose()?.unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failed::Input)?;
    let mut sender = Sender { rpc, headers, sent: 0, progress: None };
    match (&args.filename, &args.dirname) {
        (Some(file), _) => runtime.block_on(sender.send_file(file)),
        (_, Some(folder)) => runtime.block_on(sender.send_folder(folder)),
        _ => {
            sender.progress = Progress::new(std::io::stderr().is_terminal(), None);
            runtime.block_on(sender.send(&mut Lines::new(Box::new(std::io::stdin()))))
        }
    }
}

fn rpc(args: &AvroClientArgs) -> Result<Box<dyn RpcClient>, Failed> {
    if let Some(path) = &args.rpc_props {
        let (settings, texts) = properties(path, "rpc")?;
        let mut diagnostics = Diagnostics::default();
        let found = client(&settings, &mut diagnostics);
        let text = render::text(&diagnostics, &texts, render::Colour::Never);
        return match found {
            Some(client) => {
                if !diagnostics.is_empty() {
                    // A warning that nobody reads changes nothing.
                    let _unread = std::io::stderr().write_all(text.as_bytes());
                }
                Ok(client)
            }
            None => Err(Failed::Properties(format!("{} cannot be used\n{text}", path.display()))),
        };
    }
    let (host, port) = match (&args.host, args.port) {
        (Some(host), Some(port)) => (host, port),
        (None, None) => {
            let text = "Either --rpcProps or both --host and --port must be specified.";
            return Err(Failed::Usage(text.to_owned()));
        }
        (None, _) => {
            return Err(Failed::Usage("You must specify a hostname to connect to with --host".to_owned()));
        }
        (_, None) => {
            return Err(Failed::Usage("You must specify a port to connect to with --port".to_owned()));
        }
    };
    let timeout = Duration::from_millis(TIMEOUT_MS);
    let target = AvroTarget {
        host: host.clone(),
        port,
        connect_timeout: timeout,
        request_timeout: timeout,
        compression_level: None,
        tls: None,
        compresses_outside: false,
    };
    Ok(Box::new(AvroClient::new(target, args.batch_size.unwrap_or(BATCH_SIZE).max(1))))
}

fn properties(path: &Path, name: &str) -> Result<(Settings, SourceTexts), Failed> {
    let failed = |what, error| Failed::File { what, path: path.to_owned(), error };
    let length = std::fs::metadata(path).map_err(|error| failed("cannot read", error))?.len();
    if length > PROPERTIES_BYTES_MAX {
        let error = std::io::Error::other(format!("{length} bytes are too many"));
        return Err(failed("this is no properties file:", error));
    }
    let bytes = std::fs::read(path).map_err(|error| failed("cannot read", error))?;
    let mut source = SourceText::new(&path.display().to_string(), &String::from_utf8_lossy(&bytes));
    let mut diagnostics = Diagnostics::default();
    let settings = read_properties(&mut source, name, &mut diagnostics);
    let mut texts = SourceTexts::default();
    texts.push(source);
    if diagnostics.error_count() > 0 {
        let text = render::text(&diagnostics, &texts, render::Colour::Never);
        return Err(Failed::Properties(format!("{} cannot be used\n{text}", path.display())));
    }
    Ok((settings, texts))
}

fn headers(path: &Path) -> Result<Vec<(HeaderName, String)>, Failed> {
    let (settings, _) = properties(path, "headers")?;
    Ok(settings.iter().map(|(name, setting)| (name.into(), setting.value.clone())).collect())
}

struct Sender {
    rpc: Box<dyn RpcClient>,
    headers: Vec<(HeaderName, String)>,
    sent: u64,
    progress: Option<Progress>,
}

impl Sender {
    async fn send_file(&mut self, path: &Path) -> Result<(), Failed> {
        let failed = |what, error| Failed::File { what, path: path.to_owned(), error };
        let file = std::fs::File::open(path).map_err(|error| failed("cannot open", error))?;
        let total = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|data| data.len());
        self.progress = Progress::new(std::io::stderr().is_terminal(), total);
        self.send(&mut Lines::new(Box::new(file))).await.map_err(|error| match error {
            Failed::Input(error) => failed("cannot read", error),
            other => other,
        })
    }

    /// Oldest file first; each is renamed when all of it has been accepted.
    async fn send_folder(&mut self, folder: &Path) -> Result<(), Failed> {
        loop {
            let files = input::files_to_send(folder);
            let files = files.map_err(|error| Failed::File {
                what: "cannot list",
                path: folder.to_owned(),
                error,
            })?;
            // Asked again afterwards: files may have come meanwhile.
            if files.is_empty() {
                return Ok(());
            }
            for file in files {
                self.send_file(&file).await?;
                input::mark_completed(&file).map_err(|error| Failed::File {
                    what: "all lines were accepted, but it cannot be renamed:",
                    path: file.clone(),
                    error,
                })?;
            }
        }
    }

    async fn send(&mut self, lines: &mut Lines) -> Result<(), Failed> {
        let batch_size = self.rpc.batch_size();
        while let Some(batch) = lines.next(batch_size).map_err(Failed::Input)? {
            let count = batch.len() as u64;
            let sent = self.sent;
            self.rpc
                .append_batch(&[self.with_headers(batch)])
                .await
                .map_err(|error| Failed::Delivery { error, sent })?;
            self.sent += count;
            if let Some(progress) = &mut self.progress {
                progress.show(lines.bytes_read(), self.sent);
            }
        }
        Ok(())
    }

    fn with_headers(&self, batch: Batch) -> Batch {
        self.headers.iter().fold(batch, |batch, (name, value)| batch.with_constant(name, value.as_str()))
    }
}
