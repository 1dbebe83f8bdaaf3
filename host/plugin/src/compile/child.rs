//! Compilation in a process of its own. Compilers are not hardened against time and memory bombs, so they get a process
//! that can be killed.
//!
//! ```text
//! parent: HELPER plugin-compile IN OUT FUEL MEMORY_BYTES CPU_SECONDS ─▶ child: limits itself, then reads, compiles,
//!         waits, at most `wall_max`, then kills                                writes OUT (0600, in the cache folder)
//!         exit code, signal, end of stderr ─▶ which bound it was
//! ```

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wasmtime::Engine;

use super::cache::{Entry, new_private_file};
use super::{Bounds, Source};
use crate::engine::compiler_config;
use crate::error::LoadError;

/// The end of the child's standard error that is shown.
const STDERR_BYTES_MAX: u64 = 4 << 10;
/// Exit code of a child that says on standard error what is wrong with the component.
const REFUSED: i32 = 3;
const SIGXCPU: i32 = 24;
const SIGKILL: i32 = 9;
const SIGABRT: i32 = 6;

/// Compiles into the cache's entry.
pub(super) fn compile(helper: &Path, fuel: bool, source: &Source, entry: &Entry) -> Result<(), LoadError> {
    let (input, output) = (entry.beside(), entry.beside());
    let written = new_private_file(&input).and_then(|mut file| file.write_all(&source.bytes));
    written.map_err(|error| entry.failed(&input, &error))?;
    let result = run(helper, fuel, (&input, &output), &source.bounds);
    let _may_be_missing = std::fs::remove_file(&input);
    match result {
        Ok(()) => entry.publish(&output),
        Err(reason) => {
            let _may_be_missing = std::fs::remove_file(&output);
            Err(LoadError::Compile { file: source.file.clone(), reason })
        }
    }
}

fn run(helper: &Path, fuel: bool, (input, output): (&Path, &Path), bounds: &Bounds) -> Result<(), String> {
    let mut command = Command::new(helper);
    command.arg("plugin-compile").arg(input).arg(output);
    command.arg(if fuel { "fuel" } else { "no-fuel" });
    command.arg(bounds.memory_bytes_max.to_string()).arg(bounds.cpu_max.as_secs().max(1).to_string());
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let failed = |error: std::io::Error| format!("cannot run {}: {error}", helper.display());
    let mut child = command.spawn().map_err(failed)?;
    let stderr = child.stderr.take();
    let said = std::thread::spawn(move || {
        let mut text = Vec::new();
        let read = stderr.map(|pipe| pipe.take(STDERR_BYTES_MAX).read_to_end(&mut text));
        read.and_then(Result::ok)
            .map(|_| String::from_utf8_lossy(&text).trim().to_owned())
            .unwrap_or_default()
    });
    let ended = wait(&mut child, bounds.wall_max).map_err(failed)?;
    let said = said.join().unwrap_or_default();
    match ended {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(why(status, &said, bounds)),
        None => Err(format!(
            "the compiler was ended after {} s, the most that is allowed",
            bounds.wall_max.as_secs_f32()
        )),
    }
}

/// None: it was killed because its time was over.
fn wait(child: &mut Child, max: Duration) -> std::io::Result<Option<ExitStatus>> {
    let until = Instant::now() + max;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

fn why(status: ExitStatus, said: &str, bounds: &Bounds) -> String {
    if status.code() == Some(REFUSED) {
        return said.to_owned();
    }
    let memory = bounds.memory_bytes_max >> 20;
    match status.signal() {
        Some(SIGXCPU | SIGKILL) => {
            format!(
                "the compiler used up {} s of CPU time, the most that is allowed",
                bounds.cpu_max.as_secs()
            )
        }
        Some(SIGABRT) if said.contains("memory allocation") => {
            format!("the compiler needed more than {memory} MiB of memory, the most that is allowed")
        }
        _ => format!("the compiler failed ({status}): {said}"),
    }
}

/// What `PROGRAM plugin-compile ARGUMENTS…` does, hidden from users: compiles one component within the bounds that the
/// parent gives. Answers the exit code; what is wrong is said on standard error.
pub fn serve(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let result = Order::parse(&arguments).and_then(|order| order.carry_out());
    let Err(reason) = result else { return 0 };
    let _nobody_may_listen = writeln!(std::io::stderr(), "{reason}");
    REFUSED
}

struct Order {
    input: PathBuf,
    output: PathBuf,
    fuel: bool,
    memory_bytes_max: u64,
    cpu_seconds_max: u64,
}

impl Order {
    fn parse(arguments: &[OsString]) -> Result<Self, String> {
        let usage = || "expected: IN OUT fuel|no-fuel MEMORY_BYTES CPU_SECONDS".to_owned();
        let [input, output, fuel, memory, cpu] = arguments else { return Err(usage()) };
        let number = |text: &OsString| text.to_str().and_then(|text| text.parse().ok()).ok_or_else(usage);
        Ok(Self {
            input: input.into(),
            output: output.into(),
            fuel: fuel == "fuel",
            memory_bytes_max: number(memory)?,
            cpu_seconds_max: number(cpu)?,
        })
    }
    fn carry_out(&self) -> Result<(), String> {
        limit(Resource::As, self.memory_bytes_max)?;
        limit(Resource::Cpu, self.cpu_seconds_max)?;
        limit(Resource::Core, 0)?;
        let bytes = std::fs::read(&self.input).map_err(|error| error.to_string())?;
        let engine = Engine::new(&compiler_config(self.fuel)).map_err(|error| format!("{error:#}"))?;
        let code = engine.precompile_component(&bytes).map_err(|error| format!("{error:#}"))?;
        let written = new_private_file(&self.output).and_then(|mut file| file.write_all(&code));
        written.map_err(|error| error.to_string())
    }
}

/// Lowers a limit of this process; never raises one.
fn limit(what: Resource, max: u64) -> Result<(), String> {
    let now = getrlimit(what);
    let max = now.maximum.map_or(max, |hard| hard.min(max));
    let limits = Rlimit { current: Some(max), maximum: Some(max) };
    setrlimit(what, limits).map_err(|error| format!("cannot limit {what:?} to {max}: {error}"))
}
