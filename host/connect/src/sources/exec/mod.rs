//! `exec`: the lines that a command prints. Flume's `ExecSource`.
//!
//! ```text
//! command ──pipe──▶ pump (lines, batches) ──▶ outlet        one command after another, while `restart`
//! ```
//!
//! Invariants: no line that was read is lost without being counted; the command is read only as fast as the
//! channel takes its lines; neither the command nor what it started outlives the run of the source; a position
//! that is kept is never ahead of what is stored.

mod command;
mod config;
mod decode;
mod lines;
mod pump;
mod stderr;
mod tail;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flumen_config::{ComponentKind, ComponentSpec, Diagnostic, Diagnostics, Settings};
use tokio::select;
use tokio::time::{sleep, timeout};

use crate::ComponentError;
use crate::catalog::{SourceType, plugins};
use crate::deserializer::DeserializerFactory;
use crate::source::{Source, SourceContext, SourceEnd};

use command::{Running, Stderr, exit_code};
use config::{ExecConfig, ExecOptions};
use decode::Decoding;
use lines::Lines;
use pump::{Ended, Pump};
use tail::{Begin, Follow, InUse, Keep, Place};

pub(super) const EXEC: SourceType = SourceType {
    spec: ComponentSpec {
        check: |settings, diagnostics| ExecConfig::read(settings, diagnostics).is_some(),
        batch_size: Some(|settings| {
            ExecConfig::read(settings, &mut Diagnostics::default()).map_or(1, |config| config.batch_lines)
        }),
        ..ComponentSpec::of::<ExecOptions>(
            ComponentKind::Source,
            "exec",
            &["org.apache.flume.source.ExecSource"],
        )
    },
    build,
};

fn build(settings: &Settings) -> Result<Box<dyn Source>, Diagnostics> {
    let config = Diagnostics::or(|diagnostics| ExecConfig::read(settings, diagnostics))?;
    Ok(Box::new(Exec {
        lines: Lines::new(config.charset.units(), config.line_bytes_max),
        follow: config.tail.clone().map(Follow::new),
        deserializer: build_deserializer(settings)?,
        keep: None,
        config,
    }))
}

fn build_deserializer(settings: &Settings) -> Result<Option<Arc<dyn DeserializerFactory>>, Diagnostics> {
    if settings.text("deserializer").is_none() {
        return Ok(None);
    }
    let plugins = plugins().ok_or_else(|| {
        let mut diagnostics = Diagnostics::default();
        let message = "this build of Flumen runs no WebAssembly components";
        let finding = Diagnostic::error("unknown-type", message).on(settings.path());
        diagnostics.push(finding.at(&settings.origin("deserializer")));
        diagnostics
    })?;
    (plugins.deserializer.build)(&settings.below_type("deserializer")).map(|factory| Some(Arc::from(factory)))
}

/// From the end of the output to the end of the complaints.
const LAST_WORDS_TIME_MAX: Duration = Duration::from_millis(500);

/// The command could not be started, or its file not be read.
#[derive(Debug, thiserror::Error)]
enum ExecError {
    #[error("cannot run `{command}`: {reason}")]
    Start { command: String, reason: std::io::Error },
    #[error("cannot find where to start in the file of `{command}`: {reason}")]
    File { command: String, reason: std::io::Error },
    #[error(transparent)]
    Position(#[from] InUse),
    #[error("the output of `{command}` cannot be decoded: {reason}")]
    Decode { command: String, reason: ComponentError },
}

struct Exec {
    config: ExecConfig,
    lines: Lines,
    follow: Option<Follow>,
    deserializer: Option<Arc<dyn DeserializerFactory>>,
    /// While it runs with a `positionFile`.
    keep: Option<Keep>,
}

/// How one run of the command ended.
enum Ran {
    Stopped,
    Again,
    Exited(i32),
}

#[async_trait]
impl Source for Exec {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        self.open_position().await?;
        // After an error the next try goes on in the same place, and nobody else may have the position.
        let end = self.run_again_and_again(context).await?;
        self.close_position();
        Ok(end)
    }
}

impl Exec {
    async fn run_again_and_again(&mut self, context: &SourceContext) -> Result<SourceEnd, ExecError> {
        let command = self.config.command.clone();
        tracing::info!("Exec source starting with command: {command}");
        loop {
            let code = match self.run_once(context).await? {
                Ran::Stopped => return Ok(SourceEnd::Stopped),
                Ran::Again => continue,
                Ran::Exited(code) => code,
            };
            if !self.config.restart {
                match code {
                    0 => tracing::info!("Command [{command}] exited with {code}"),
                    _ => tracing::warn!("Command [{command}] exited with {code}"),
                }
                return Ok(SourceEnd::Finished);
            }
            let pause = self.config.restart_throttle;
            tracing::info!("Restarting in {}ms, exit code {code}", pause.as_millis());
            select! {
                biased;
                () = context.stop.requested() => return Ok(self.leave(context).await),
                () = sleep(pause) => {}
            }
        }
    }

    async fn run_once(&mut self, context: &SourceContext) -> Result<Ran, ExecError> {
        let (rests, argv) = match self.begin().await? {
            Begin::AsWritten => {
                self.keep_nothing();
                (Vec::new(), self.config.argv.clone())
            }
            Begin::With { rests, argv } => (rests, argv),
        };
        for rest in rests {
            if self.read_rest(context, rest).await? == Ended::Stopped {
                return Ok(Ran::Stopped);
            }
        }
        let place = self.follow.as_ref().and_then(Follow::place);
        self.keep_from(place);
        // From now on nothing that is appended can be missed, even if this is the only save before a crash.
        self.save().await;
        let stderr = if self.config.log_stderr { Stderr::Read } else { Stderr::Dropped };
        let mut running = Running::start(&argv, stderr)
            .map_err(|reason| ExecError::Start { command: self.config.command.clone(), reason })?;
        context.ready();
        if let Some(factory) = self.deserializer.clone() {
            return self.decode_all(context, &mut running, &factory).await;
        }
        let ended = self.read_all(context, &mut running).await;
        let status = match ended {
            Ended::Eof => running.end_after_output().await,
            Ended::Stopped | Ended::LeftOut => running.end().await,
        };
        Ok(match ended {
            Ended::Stopped => Ran::Stopped,
            Ended::LeftOut => Ran::Again,
            Ended::Eof => Ran::Exited(status.map_or(-1, exit_code)),
        })
    }

    /// Decodes output, and logs complaints, until the output ends.
    async fn decode_all(
        &self,
        context: &SourceContext,
        running: &mut Running,
        factory: &Arc<dyn DeserializerFactory>,
    ) -> Result<Ran, ExecError> {
        let decoding = Decoding { context, factory, group: running.group() };
        let complaints = running.stderr.take();
        let ended = {
            let mut logging = pin!(async {
                if let Some(stderr) = complaints {
                    stderr::log(stderr).await;
                }
            });
            let mut reading = pin!(decoding.run(&mut running.stdout));
            select! {
                biased;
                () = &mut logging => reading.await,
                ended = &mut reading => {
                    let _cut_short = timeout(LAST_WORDS_TIME_MAX, logging).await;
                    ended
                }
            }
        };
        match ended {
            Ok(Ended::Eof) => Ok(Ran::Exited(running.end_after_output().await.map_or(-1, exit_code))),
            Ok(Ended::Stopped | Ended::LeftOut) => {
                let _how_it_ended_says_nothing_now = running.end().await;
                Ok(Ran::Stopped)
            }
            Err(reason) => {
                let _how_it_ended_says_nothing_now = running.end().await;
                Err(ExecError::Decode { command: self.config.command.clone(), reason })
            }
        }
    }

    /// Reads what a renamed file still has.
    async fn read_rest(&mut self, context: &SourceContext, rest: Place) -> Result<Ended, ExecError> {
        let file = rest
            .reader()
            .map_err(|reason| ExecError::File { command: self.config.command.clone(), reason })?;
        self.keep_from(Some(rest));
        let mut pump = self.pump(context, None);
        let mut ended = pump.run(&mut tokio::fs::File::from_std(file), None).await;
        if ended == Ended::Eof {
            ended = pump.finish().await;
        }
        self.save().await;
        Ok(ended)
    }

    async fn begin(&mut self) -> Result<Begin, ExecError> {
        let Some(mut follow) = self.follow.take() else { return Ok(Begin::AsWritten) };
        let looked = tokio::task::spawn_blocking(move || (follow.begin(), follow)).await;
        let (begin, follow) = looked.expect("looking at a file does not panic");
        self.follow = Some(follow);
        begin.map_err(|reason| ExecError::File { command: self.config.command.clone(), reason })
    }

    /// Reads output and complaints until the output ends.
    async fn read_all(&mut self, context: &SourceContext, running: &mut Running) -> Ended {
        let group = running.group();
        let mut follow = self.follow.take().filter(Follow::is_tracked);
        let complaints = running.stderr.take();
        let ended = {
            let reading = async {
                let mut pump = self.pump(context, Some(group));
                let ended = pump.run(&mut running.stdout, follow.as_mut()).await;
                if let Some(keep) = &mut pump.keep {
                    keep.save_now().await;
                }
                // A followed file goes on where it was left, so its unfinished line is finished by the next run.
                if ended == Ended::Eof && follow.is_none() { pump.finish().await } else { ended }
            };
            let logging = async {
                if let Some(stderr) = complaints {
                    stderr::log(stderr).await;
                }
            };
            let (mut reading, mut logging) = (pin!(reading), pin!(logging));
            select! {
                biased;
                () = &mut logging => reading.await,
                ended = &mut reading => {
                    // A command's last words are often why it failed.
                    let _cut_short = timeout(LAST_WORDS_TIME_MAX, logging).await;
                    ended
                }
            }
        };
        self.follow = follow;
        if self.follow.is_none() && ended == Ended::Eof {
            self.lines.restart();
        }
        ended
    }

    fn pump<'a>(&'a mut self, context: &'a SourceContext, group: Option<command::Group>) -> Pump<'a> {
        Pump {
            context,
            lines: &mut self.lines,
            batch_lines: self.config.batch_lines,
            batch_timeout: self.config.batch_timeout,
            group,
            keep: self.keep.as_mut(),
        }
    }

    /// Takes the position file, if there is to be one.
    async fn open_position(&mut self) -> Result<(), InUse> {
        let (Some(path), Some(words)) = (self.config.position_file.clone(), self.config.tail.clone()) else {
            return Ok(());
        };
        if self.keep.is_none() {
            let opened = tokio::task::spawn_blocking(move || Keep::open(&path, words)).await;
            let (keep, follow) = opened.expect("opening a position file does not panic")?;
            (self.keep, self.follow) = (Some(keep), Some(follow));
        }
        Ok(())
    }
    /// Lets another have the position file. What was read and not stored is forgotten: it comes again.
    fn close_position(&mut self) {
        if self.keep.take().is_some() {
            self.follow = self.config.tail.clone().map(Follow::new);
            self.lines = Lines::new(self.config.charset.units(), self.config.line_bytes_max);
        }
    }
    fn keep_nothing(&mut self) {
        if self.keep.take().is_some() {
            let command = &self.config.command;
            tracing::warn!(command, "not a regular file: it has no position, and `positionFile` is not used");
        }
    }
    /// The next byte that is read lies there.
    fn keep_from(&mut self, place: Option<Place>) {
        if let Some(keep) = &mut self.keep {
            keep.moved(0, place);
            keep.stored(self.lines.input().len());
        }
    }
    async fn save(&mut self) {
        if let Some(keep) = &mut self.keep {
            keep.save_now().await;
        }
    }

    /// Stopped between two runs: what a followed file had begun to say is passed on, or kept for the next start.
    async fn leave(&mut self, context: &SourceContext) -> SourceEnd {
        if self.keep.is_none() {
            self.pump(context, None).finish().await;
        }
        SourceEnd::Stopped
    }
}
