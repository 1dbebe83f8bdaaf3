//! `exec`: the lines that a command prints. Flume's `ExecSource`.
//!
//! ```text
//! command ──pipe──▶ pump (lines, batches) ──▶ outlet        one command after another, while `restart`
//! ```
//!
//! Invariants: no line that was read is lost without being counted; the command is read only as fast as the
//! channel takes its lines; neither the command nor what it started outlives the run of the source.

mod command;
mod config;
mod lines;
mod pump;
mod stderr;
mod tail;

use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use flumen_config::{ComponentKind, ComponentSpec, Diagnostics, Settings};
use tokio::select;
use tokio::time::{sleep, timeout};

use crate::ComponentError;
use crate::catalog::SourceType;
use crate::source::{Source, SourceContext, SourceEnd};

use command::{Running, Stderr, exit_code};
use config::{ExecConfig, ExecOptions};
use lines::Lines;
use pump::{Ended, Pump};
use tail::{Begin, Follow};

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
        config,
    }))
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
}

struct Exec {
    config: ExecConfig,
    lines: Lines,
    follow: Option<Follow>,
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
}

impl Exec {
    async fn run_once(&mut self, context: &SourceContext) -> Result<Ran, ExecError> {
        let (rest_of_old, argv) = match self.begin().await? {
            Begin::AsWritten => (None, self.config.argv.clone()),
            Begin::With { rest_of_old, argv } => (rest_of_old, argv),
        };
        if let Some(rest) = rest_of_old {
            let mut rest = tokio::fs::File::from_std(rest);
            let mut pump = self.pump(context, None);
            if pump.run(&mut rest, None).await == Ended::Stopped || pump.finish().await == Ended::Stopped {
                return Ok(Ran::Stopped);
            }
        }
        let stderr = if self.config.log_stderr { Stderr::Read } else { Stderr::Dropped };
        let mut running = Running::start(&argv, stderr)
            .map_err(|reason| ExecError::Start { command: self.config.command.clone(), reason })?;
        context.ready();
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
        }
    }

    /// Stopped between two runs: what a followed file had begun to say is passed on.
    async fn leave(&mut self, context: &SourceContext) -> SourceEnd {
        self.pump(context, None).finish().await;
        SourceEnd::Stopped
    }
}
