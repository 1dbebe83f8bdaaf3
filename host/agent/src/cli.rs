//! The command line: Flume's own, and what Flumen adds.
//!
//! `flume-ng agent --conf conf --conf-file f.properties --name a1 -Dflume.root.logger=INFO,console` works as it
//! is written in every tutorial. Options for a JVM (`-Xmx1g`, `-javaagent:…`) are accepted and mean nothing.
//!
//! Longer than other files: the arguments of all commands are one grammar, which `--help` prints and the tests below read.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::commands;

#[derive(Parser)]
#[command(
    name = "flumen",
    version,
    about = "A stream router that runs Apache Flume's configuration files",
    disable_help_subcommand = false
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one or more agents of a configuration
    #[command(alias = "node")]
    Agent(Box<AgentArgs>),
    /// Sends the lines of a file, a folder or standard input to an avro source
    AvroClient(Box<AvroClientArgs>),
    /// Checks configuration files: all mistakes at once, with line numbers. Exit status 1 if there is an error
    Check(CheckArgs),
    /// Prints what an agent's configuration amounts to: every option, its value, and where that comes from
    Explain(ExplainArgs),
    /// Looks at, tries, measures, starts and reloads plugins (WebAssembly components)
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Runs dead letters again, through the plugin that failed or a fixed one, into the same channels and sinks
    Replay(ReplayArgs),
    /// Compiles one component within bounds; started by Flumen itself
    #[command(hide = true)]
    PluginCompile {
        /// IN OUT fuel|no-fuel MEMORY_BYTES CPU_SECONDS
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Looks at a file channel that no agent runs, checks it, takes its events out, puts it in order
    Channel(ChannelArgs),
    /// Prints the reference of all components and their options, as Markdown
    Options,
    /// Prints the version
    Version,
}

/// Where a configuration comes from.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigArgs {
    /// Sets a property, as for a JVM: `-Dflume.root.logger=INFO,console`, `${sys:name}` in the configuration
    #[arg(short = 'D', value_name = "NAME=VALUE")]
    pub properties: Vec<String>,
    /// Treats everything that Flume would silently ignore as an error
    #[arg(long)]
    pub strict: bool,
}

/// The arguments of `flumen agent`.
#[derive(Args, Clone, Debug)]
pub struct AgentArgs {
    /// The agents to run, separated by commas
    #[arg(short = 'n', long, value_delimiter = ',', required_unless_present = "all")]
    pub name: Vec<String>,
    /// Runs all agents of the configuration
    #[arg(long, conflicts_with = "name")]
    pub all: bool,
    /// A configuration file (.properties, or .toml); may be repeated, later ones override earlier keys
    #[arg(short = 'f', long, value_name = "FILE")]
    pub conf_file: Vec<PathBuf>,
    /// A configuration as a URI: file:/path; may be repeated
    #[arg(short = 'u', long, value_name = "URI")]
    pub conf_uri: Vec<String>,
    /// Folder of flume-env.sh, whose JAVA_OPTS and environment are obeyed
    #[arg(short = 'c', long, value_name = "DIR")]
    pub conf: Option<PathBuf>,
    /// Seconds that a stop may take to drain channels that would be lost with the process
    #[arg(long, value_name = "SECONDS", default_value_t = 8)]
    pub drain_seconds: u64,
    /// Only checks, prints what would run, and ends
    #[arg(short = 'd', long)]
    pub dryrun: bool,
    /// Properties and strictness.
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    ignored: IgnoredArgs,
}

/// Options of `flume-ng agent` that mean nothing here, or not yet; each one given is said in a warning.
#[derive(Args, Clone, Debug)]
struct IgnoredArgs {
    #[arg(short = 'C', long, hide = true)]
    classpath: Option<String>,
    #[arg(long, hide = true)]
    plugins_path: Option<String>,
    #[arg(long, hide = true)]
    no_reload_conf: bool,
    #[arg(short = 'i', long, hide = true)]
    poll_interval: Option<String>,
    #[arg(short = 'b', long, hide = true)]
    backup_directory: Option<String>,
    #[arg(short = 'z', long = "zkConnString", hide = true)]
    zookeeper: Option<String>,
    #[arg(short = 'p', long = "zkBasePath", hide = true)]
    zookeeper_path: Option<String>,
    #[arg(long, hide = true)]
    conf_provider: Option<String>,
    #[arg(long, hide = true)]
    conf_user: Option<String>,
    #[arg(long, hide = true)]
    conf_password: Option<String>,
    #[arg(short = 'a', long, hide = true)]
    auth_provider: Option<String>,
}

impl AgentArgs {
    /// What was given and has no effect: a sentence for each.
    #[must_use]
    pub fn without_effect(&self) -> Vec<&'static str> {
        let i = &self.ignored;
        let given = [
            (i.classpath.is_some(), "--classpath: no Java classes are loaded"),
            (i.plugins_path.is_some(), "--plugins-path: no Java plugins are loaded"),
            (i.poll_interval.is_some(), "--poll-interval: the configuration is read once, at start"),
            (
                i.backup_directory.is_some(),
                "--backup-directory: configurations are not fetched, so none is kept",
            ),
            (
                i.zookeeper.is_some() || i.zookeeper_path.is_some(),
                "--zkConnString: configurations in ZooKeeper are not read",
            ),
            (i.conf_provider.is_some(), "--conf-provider: no Java classes are loaded"),
            (
                i.conf_user.is_some() || i.conf_password.is_some() || i.auth_provider.is_some(),
                "--conf-user, --conf-password, --auth-provider: configurations are read from files only",
            ),
        ];
        given.into_iter().filter(|(is_given, _)| *is_given).map(|(_, text)| text).collect()
    }
}

/// The arguments of `flumen avro-client`: those of `flume-ng avro-client`.
#[derive(Args, Clone, Debug)]
pub struct AvroClientArgs {
    /// Hostname of the avro source
    #[arg(short = 'H', long)]
    pub host: Option<String>,
    /// Port of the avro source
    #[arg(short = 'p', long)]
    pub port: Option<u16>,
    /// File to send, a line an event; standard input if neither it nor --dirname is given
    #[arg(short = 'F', long, value_name = "FILE")]
    pub filename: Option<PathBuf>,
    /// Folder whose files are sent, oldest first; each is renamed to *.COMPLETED when it has been. Files must not
    /// change once they are there
    #[arg(long, value_name = "DIR")]
    pub dirname: Option<PathBuf>,
    /// File of headers that all events get, `name = value` on each line
    #[arg(short = 'R', long = "headerFile", value_name = "FILE")]
    pub header_file: Option<PathBuf>,
    /// Properties of an RPC client, in place of --host and --port
    #[arg(short = 'P', long = "rpcProps", value_name = "FILE")]
    pub rpc_props: Option<PathBuf>,
    /// Events sent at once, 5 as in Flume; with --rpcProps it is `batch-size` there
    #[arg(long, value_name = "EVENTS", conflicts_with = "rpc_props")]
    pub batch_size: Option<usize>,
    /// Accepted as in Flume, without effect
    #[arg(short = 'c', long, hide = true)]
    pub conf: Option<PathBuf>,
    /// Accepted as in Flume, without effect
    #[arg(short = 'C', long, hide = true)]
    pub classpath: Option<String>,
    /// Sets a property, as for a JVM: -Djavax.net.ssl.trustStore=FILE
    #[arg(short = 'D', value_name = "NAME=VALUE")]
    pub properties: Vec<String>,
}

/// The arguments of `flumen check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// Configuration files; each is checked on its own
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Properties and strictness.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// The arguments of `flumen channel`.
#[derive(Args, Clone, Debug)]
pub struct ChannelArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ChannelCommand,
}

/// What can be done with a channel.
#[derive(Subcommand, Clone, Debug)]
pub enum ChannelCommand {
    /// Prints the segments, how much is pending, the oldest event, the keys that are needed
    Inspect(ChannelTarget),
    /// Reads every byte and says what is damaged. Exit status 1 if anything is
    Verify(ChannelTarget),
    /// Writes all pending events, one JSON object a line; they stay in the channel
    Export {
        /// Which channel.
        #[command(flatten)]
        target: ChannelTarget,
        /// The file to write, which must not exist; standard output if none is named
        #[arg(short = 'o', long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Carries the pending events of a Flume file channel into a durable channel of a configuration
    ImportFlume(Box<ImportFlumeArgs>),
    /// Copies the channel to a backup, then writes what can be read of it anew
    Repair {
        /// Which channel.
        #[command(flatten)]
        target: ChannelTarget,
        /// A folder for the copy, empty or not there
        #[arg(long, value_name = "DIR")]
        backup: PathBuf,
    },
}

/// A channel of a configuration, or its folders.
#[derive(Args, Clone, Debug)]
pub struct ChannelTarget {
    /// The configuration that the channel is in
    #[arg(short = 'f', long, value_name = "FILE", required_unless_present = "data_dirs")]
    pub conf_file: Vec<PathBuf>,
    /// The agent that has the channel
    #[arg(short = 'n', long, required_unless_present = "data_dirs")]
    pub name: Option<String>,
    /// The channel
    #[arg(short = 'c', long, required_unless_present = "data_dirs")]
    pub channel: Option<String>,
    /// Instead of a configuration: the channel's `dataDirs`
    #[arg(long, value_name = "DIRS", requires = "checkpoint_dir", conflicts_with = "conf_file")]
    pub data_dirs: Option<String>,
    /// The channel's `checkpointDir`
    #[arg(long, value_name = "DIR", requires = "data_dirs")]
    pub checkpoint_dir: Option<String>,
    /// Properties and strictness.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// The arguments of `flumen explain`.
#[derive(Args, Clone, Debug)]
pub struct ExplainArgs {
    /// Configuration files, which together make one configuration
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// The agent
    #[arg(short = 'n', long)]
    pub name: String,
    /// Properties and strictness.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `flumen plugin …`
#[derive(Subcommand, Clone, Debug)]
pub enum PluginCommand {
    /// Says what a component is: its world and version, what it imports, the grants it would need, size, digest
    Check(PluginCheckArgs),
    /// Runs events through a component with the engine that production has, and prints or compares what comes out
    Test(PluginTestArgs),
    /// Measures a component: ns an event at batches of 1 to 1,000, memory, fuel, and which tenant's limits it breaks
    Bench(PluginBenchArgs),
    /// Writes a project for a plugin that builds as it is
    New(PluginNewArgs),
    /// Tells running agents of this user to look at their plugins' files again and swap what has changed
    Reload(PluginReloadArgs),
}

/// The arguments of `flumen plugin check`.
#[derive(Args, Clone, Debug)]
pub struct PluginCheckArgs {
    /// The component
    pub file: PathBuf,
}

/// How a component is loaded to be tried.
#[derive(Args, Clone, Debug)]
pub struct TrialArgs {
    /// The component
    pub file: PathBuf,
    /// An option of the component, as `config.KEY = VALUE` in a configuration; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub config: Vec<String>,
    /// Any other option as in a configuration, for example `limits.memoryBytesMax=1048576`; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Channels of a selector, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "c1,c2")]
    pub channels: Vec<String>,
}

/// The arguments of `flumen plugin test`.
#[derive(Args, Clone, Debug)]
pub struct PluginTestArgs {
    /// The component and its options.
    #[command(flatten)]
    pub trial: TrialArgs,
    /// Events: lines, or JSON lines `{"headers":{…},"body":"…"}`; bytes for a deserializer. `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// What must come out; the exit status is 1 if something else does
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    /// Most events in one call
    #[arg(long, default_value_t = 1000)]
    pub batch: usize,
}

/// The arguments of `flumen plugin bench`.
#[derive(Args, Clone, Debug)]
pub struct PluginBenchArgs {
    /// The component and its options.
    #[command(flatten)]
    pub trial: TrialArgs,
    /// Events to measure with; without it 200-byte bodies with two headers
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// A tenants file: says whose limits the component would break
    #[arg(long, value_name = "FILE")]
    pub tenants: Option<PathBuf>,
    /// Milliseconds to measure each batch size for
    #[arg(long, default_value_t = 300)]
    pub millis: u64,
}

/// The arguments of `flumen plugin new`.
#[derive(Args, Clone, Debug)]
pub struct PluginNewArgs {
    /// The language: rust, python, js, go or c
    #[arg(long)]
    pub lang: String,
    /// What it is to be: interceptor, serializer, deserializer, selector, source, sink or http-handler
    #[arg(long, default_value = "interceptor")]
    pub kind: String,
    /// The project's folder, which is made; its last part is the plugin's name
    pub dir: PathBuf,
}

/// The arguments of `flumen plugin reload`.
#[derive(Args, Clone, Debug)]
pub struct PluginReloadArgs {
    /// The plugin's path in the configuration (`a1.sources.r1.interceptors.i1`); without it all plugins
    pub path: Option<String>,
    /// Properties; `-Dflumen.state=DIR` as the agent was started with.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// The arguments of `flumen replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// The dead letters: JSON lines as `deadLetter = file …` and the serializer `event_json` write them
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// The configuration; may be repeated
    #[arg(short = 'f', long, value_name = "FILE", required = true)]
    pub conf_file: Vec<PathBuf>,
    /// The agent
    #[arg(short = 'n', long)]
    pub name: String,
    /// Only the dead letters of this plugin (`a1.sources.r1.interceptors.i1`); needed if the file has several
    #[arg(long, value_name = "PATH")]
    pub plugin: Option<String>,
    /// The source whose interceptors and channels they go through; by default that of the plugin
    #[arg(long)]
    pub source: Option<String>,
    /// Runs all interceptors of the source, not only those from the plugin on
    #[arg(long)]
    pub from_first: bool,
    /// Keeps the headers `flumen.*` that say why they were put aside
    #[arg(long)]
    pub keep_headers: bool,
    /// Properties and strictness.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// The arguments of `flumen channel import-flume`.
#[derive(Args, Clone, Debug)]
pub struct ImportFlumeArgs {
    /// Flume's folders: one that holds checkpoint and data folders, or each of them
    #[arg(required = true, value_name = "DIR")]
    pub directories: Vec<PathBuf>,
    /// The configuration with the channel that the events go to; may be repeated, later ones override earlier keys
    #[arg(short = 'f', long, value_name = "FILE", required = true)]
    pub conf_file: Vec<PathBuf>,
    /// The agent whose channel it is
    #[arg(short = 'n', long)]
    pub name: String,
    /// The channel. If Flume encrypted its logs, its `encryption.keyProvider` must have the keys
    #[arg(short = 'c', long)]
    pub channel: String,
    /// Only reads, and prints what is pending and what is damaged
    #[arg(long)]
    pub dry_run: bool,
    /// Imports although the channel holds events
    #[arg(long)]
    pub append: bool,
    /// Leaves out the first events: those that an interrupted import has carried over
    #[arg(long, value_name = "EVENTS", default_value_t = 0)]
    pub skip: usize,
    /// Properties and strictness.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Runs the program. The status is 0 after an orderly end, 1 after any fatal error.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(without_jvm_options(arguments)) {
        Ok(cli) => cli,
        Err(error) => {
            // Printing can only fail if nobody reads.
            let _unread = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    flumen_connect::catalog::install_plugins(&flumen_plugin::types::TYPES);
    match cli.command {
        Command::Agent(args) => commands::agent::run(&args),
        Command::AvroClient(args) => commands::avro_client::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Explain(args) => commands::explain::run(&args),
        Command::Plugin(command) => commands::plugin::run(&command),
        Command::Replay(args) => commands::replay::run(&args),
        Command::PluginCompile { arguments } => {
            ExitCode::from(u8::try_from(flumen_plugin::compile::serve(arguments)).unwrap_or(1))
        }
        Command::Channel(args) => commands::channel::run(&args),
        Command::Options => {
            commands::print(&flumen_config::reference::markdown(&flumen_connect::catalog::catalog()))
        }
        Command::Version => commands::print(concat!("Flumen ", env!("CARGO_PKG_VERSION"), "\n")),
    }
}

/// Flume's launcher takes options for the JVM and long names behind one dash.
fn without_jvm_options(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let jvm = ["-X", "-agentlib:", "-agentpath:", "-javaagent:"];
    let renamed = [
        ("-prov", "--conf-provider"),
        ("-user", "--conf-user"),
        ("-pwd", "--conf-password"),
        ("-name", "--name"),
        ("-conf", "--conf"),
        ("-conf-file", "--conf-file"),
        ("-conf-uri", "--conf-uri"),
    ];
    let kept = arguments.filter(|a| !a.to_str().is_some_and(|a| jvm.iter().any(|j| a.starts_with(j))));
    kept.map(|argument| match renamed.iter().find(|(short, _)| argument == *short) {
        Some((_, long)) => (*long).into(),
        None => argument,
    })
    .collect()
}

/// `-Dname=value` pairs; a name alone has the empty value, as for a JVM.
#[must_use]
pub fn properties<'a>(given: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, String> {
    let pairs = given.into_iter().map(|text| text.split_once('=').unwrap_or((text, "")));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(line: &str) -> AgentArgs {
        let words = line.split_whitespace().map(OsString::from);
        match Cli::try_parse_from(without_jvm_options(words)).expect("parsed").command {
            Command::Agent(args) => *args,
            _ => panic!("not the agent command"),
        }
    }

    #[test]
    fn the_command_line_of_every_tutorial_works() {
        let args = agent(
            "flume-ng agent --conf conf --conf-file example.conf --name a1 -Dflume.root.logger=INFO,console -Xmx1g",
        );
        assert_eq!((args.name, args.conf_file), (vec!["a1".to_owned()], vec![PathBuf::from("example.conf")]));
        assert_eq!(args.config.properties, ["flume.root.logger=INFO,console"]);
        let args = agent("flume-ng agent -conf conf -conf-file example.conf -name a1");
        assert_eq!((args.name, args.conf_file), (vec!["a1".to_owned()], vec![PathBuf::from("example.conf")]));
        let args = agent("flume-ng node -c conf -f x.conf -n a1,a2 -prov some.Class -D a=b=c");
        assert_eq!(args.name, ["a1", "a2"]);
        assert_eq!(properties(args.config.properties.iter().map(String::as_str))["a"], "b=c");
        assert_eq!(args.ignored.conf_provider.as_deref(), Some("some.Class"));
    }

    #[test]
    fn options_without_effect_are_said() {
        assert_eq!(agent("f agent -n a -f x --no-reload-conf").without_effect().len(), 0);
        assert_eq!(agent("f agent -n a -f x -i 5 -z host:2181 -C jars").without_effect().len(), 3);
    }
}
