//! `flumen plugin test`: events in, events out, with the engine and the adapters of production.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use flumen_connect::dead_letter::line;

use super::super::agent::complain;
use super::trial::{self, Answer, Trial};
use crate::cli::PluginTestArgs;
use crate::commands::print;

/// With a meter this high nothing runs out of fuel, and what was used is known.
const METER: &str = "1000000000000";

/// Prints what comes out, or what differs from what is expected; figures go to standard error.
pub(super) fn run(args: &PluginTestArgs) -> Result<ExitCode, String> {
    let input = read(&args.input)?;
    let expected = args.expect.as_deref().map(read).transpose()?;
    let spec = trial::spec(&args.trial, &[("limits.fuelPerEvent", METER)])?;
    let (answer, figures) = trial::run(async {
        let mut trial = Trial::load(spec, &args.trial.channels).await?;
        let since = Instant::now();
        let answer = if trial.takes_bytes() {
            trial.decode(&input, args.batch).await?
        } else {
            trial.give(&trial::events(&input, args.batch)?).await?
        };
        let figures = figures(&trial, since.elapsed(), &answer);
        Ok((answer, figures))
    })?;
    complain(&figures);
    let Some(expected) = expected else { return Ok(print(&String::from_utf8_lossy(&answer.text))) };
    if is_same(&expected, &answer.text) {
        complain("as expected\n");
        return Ok(ExitCode::SUCCESS);
    }
    let _printed = print(&difference(&expected, &answer.text));
    Ok(ExitCode::FAILURE)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn figures(trial: &Trial, took: Duration, answer: &Answer) -> String {
    let status = trial.plugin().status();
    let mut text = format!(
        "{} events out in {} calls and {}; peak memory {} bytes, fuel {}\n",
        answer.events,
        status.calls,
        trial::shown(took),
        status.memory_bytes_peak,
        status.fuel,
    );
    for (cause, events) in &answer.lost {
        text.push_str(&format!("not among them: {events} events: {cause}\n"));
    }
    text
}

/// Whether both are the same, or events that are: the order of keys in a golden file is nobody's business.
fn is_same(expected: &[u8], found: &[u8]) -> bool {
    let events = |bytes: &[u8]| -> Option<Vec<_>> {
        let lines = bytes.split(|b| *b == b'\n').filter(|one| !one.is_empty());
        lines.map(|one| line::read(one).ok()).collect()
    };
    expected == found || events(expected).is_some_and(|expected| Some(expected) == events(found))
}

/// The first line that differs, as it should be and as it is, and how many lines there are.
fn difference(expected: &[u8], found: &[u8]) -> String {
    let lines =
        |bytes: &[u8]| -> Vec<String> { String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect() };
    let (expected, found) = (lines(expected), lines(found));
    let at = expected.iter().zip(&found).position(|(one, other)| one != other);
    let at = at.unwrap_or(expected.len().min(found.len()));
    let line = |lines: &[String]| lines.get(at).cloned().unwrap_or_else(|| "(no such line)".to_owned());
    format!(
        "line {} differs\n- {}\n+ {}\n{} lines were expected, {} came\n",
        at + 1,
        line(&expected),
        line(&found),
        expected.len(),
        found.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_the_first_line_that_differs() {
        let text = difference(b"a\nb\nc\n", b"a\nx\n");
        assert_eq!(text, "line 2 differs\n- b\n+ x\n3 lines were expected, 2 came\n");
        assert!(difference(b"a\n", b"a\nb\n").contains("line 2 differs\n- (no such line)\n+ b\n"));
    }
}
