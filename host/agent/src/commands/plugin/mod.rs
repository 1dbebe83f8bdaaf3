//! `flumen plugin …`: what authors and operators do with one component.
//!
//! | command | file |
//! |---|---|
//! | `check` | [`check`] what the file says of itself; nothing is compiled |
//! | `test` | [`test`] events through the production engine, golden files |
//! | `bench` | [`bench`] the same, measured |
//! | `new` | [`new`] a project from templates |
//! | `reload` | [`reload`] the message to running agents, and [`control`] its other end |

mod bench;
mod check;
pub mod control;
mod new;
mod reload;
mod test;
mod trial;

use std::process::ExitCode;

use super::agent::complain;
use crate::cli::PluginCommand;

/// Runs one of the commands.
pub fn run(command: &PluginCommand) -> ExitCode {
    let result = match command {
        PluginCommand::Check(args) => check::run(args),
        PluginCommand::Test(args) => test::run(args),
        PluginCommand::Bench(args) => bench::run(args),
        PluginCommand::New(args) => new::run(args),
        PluginCommand::Reload(args) => reload::run(args),
    };
    result.unwrap_or_else(|why| {
        complain(&format!("flumen: {why}\n"));
        ExitCode::FAILURE
    })
}
