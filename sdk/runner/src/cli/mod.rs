//! The command line: what an integrator and an operator type.

mod app;
mod blame;
mod cases;
mod chaos;
mod creates;
mod dev;
mod doctor;
mod explain;
mod ids;
mod ledger;
mod log;
mod node;
mod output;
mod project;
mod run;
mod status;
mod tokens;
mod trash;
mod typed;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use pairline_sdk::{Clock, Random};

pub(crate) use output::printable;
pub use output::{Exit, Output, counted};

use crate::check::CheckFormat;
use crate::composition::{Composition, DatabaseSettings, Stores};
use crate::machine::{SystemClock, SystemRandom, WallClock};
use crate::system::Ground;
use crate::topology::GraphFormat;

/// Keeps a CRM and an ERP in step, both ways, without ever making a second copy of the same person.
#[derive(Debug, Parser)]
#[command(name = "pairline", disable_version_flag = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// A folder with topologies, contracts and applications, instead of the built-in ones.
    #[arg(short, long, global = true, env = "PAIRLINE_CONFIG", value_name = "DIR")]
    config: Option<PathBuf>,
    /// Where the database is.
    #[arg(long, global = true, env = "DATA_DIR", value_name = "DIR", default_value = ".pairline")]
    data_dir: PathBuf,
    /// Whether that was typed, and is neither the default nor from the environment.
    #[arg(skip)]
    data_dir_is_typed: bool,
    /// Print one JSON document instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// How log lines look; text on a terminal and JSON otherwise, unless given.
    #[arg(long, global = true, env = "PAIRLINE_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<log::LogFormat>,
    /// Colour in text.
    #[arg(long, global = true, env = "PAIRLINE_COLOR", value_name = "WHEN", default_value = "auto")]
    color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try it: a fake CRM, a fake ERP and the runner in one process, on loopback.
    Dev(dev::DevArgs),
    #[command(about = "Try to break it: your topologies against fake systems, faults and kills, and an audit")]
    Chaos(chaos::ChaosArgs),
    /// Run: take webhooks, poll, and keep both systems in step.
    Run(run::RunArgs),
    /// Check topologies, contracts and applications, without running anything.
    #[command(alias = "lint", alias = "validate")]
    Check {
        /// How findings look.
        #[arg(long, value_enum, default_value = "text")]
        format: CheckFormatArg,
        /// Fail on warnings, too.
        #[arg(long)]
        deny_warnings: bool,
    },
    /// Ask the systems themselves: what each really does, beside what its description promises. Writes nothing without --probe.
    Doctor(doctor::DoctorArgs),
    /// Describe another system: begin, try a call, and what editors need.
    App {
        #[command(subcommand)]
        command: app::AppCommand,
    },
    /// Write a node in another language: what a component is, and what it does with a message.
    Node {
        #[command(subcommand)]
        command: node::NodeCommand,
    },
    /// Run the topologies' own tests (`*.test.yaml`).
    Test {
        /// Only tests whose name contains this.
        #[arg(long, value_name = "TEXT")]
        filter: Option<String>,
    },
    /// Draw a topology.
    Graph {
        /// Which one; all of them unless given.
        topology: Option<String>,
        /// As what.
        #[arg(long, value_enum, default_value = "text")]
        format: GraphFormatArg,
    },
    /// Look into the id mapping.
    Ids {
        #[command(subcommand)]
        command: ids::IdsCommand,
    },
    /// What could not be delivered.
    #[command(alias = "dlq")]
    Trash {
        #[command(subcommand)]
        command: trash::TrashCommand,
    },
    /// Stop writing to the systems, while events are still taken; survives a restart.
    Pause {
        /// Only what starts from this application.
        #[arg(long, value_name = "NAME")]
        application: Option<String>,
        /// Why, for `status`.
        #[arg(long, default_value = "paused by an operator")]
        reason: String,
    },
    /// Write to the systems again; what has waited is read afresh, in its order.
    Resume {
        /// Only what starts from this application.
        #[arg(long, value_name = "NAME")]
        application: Option<String>,
    },
    /// How the sync is doing, and what needs a person.
    Status,
    /// The story of one record: both ids, who owns each field, where each value came from.
    Explain {
        /// Such as `crm:101`.
        record: String,
        /// Show the values, too, those that were not kept among them: they are people's data.
        #[arg(long)]
        values: bool,
    },
    /// What only a person can decide.
    Cases {
        #[command(subcommand)]
        command: cases::CasesCommand,
    },
    /// Whether counterparts may be created.
    Creates {
        #[command(subcommand)]
        command: creates::CreatesCommand,
    },
    /// Print the version.
    Version,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CheckFormatArg {
    Text,
    Line,
    Json,
    Github,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum GraphFormatArg {
    Text,
    Mermaid,
    Dot,
}

/// What every command is given.
pub(crate) struct Context {
    composition: Composition,
    global: Global,
    output: Output,
}

impl Context {
    /// The machine's clock and dice.
    fn machine() -> (Arc<dyn Clock>, Arc<dyn Random>) {
        (Arc::new(SystemClock), Arc::new(SystemRandom::default()))
    }

    /// This machine, and a database on it.
    fn ground(&self, stores: Stores) -> Ground {
        let (clock, random) = Self::machine();
        let components = self.composition.components.clone();
        Ground { stores, clock, wall: Arc::new(WallClock), random, transport: None, components }
    }

    fn database_settings() -> DatabaseSettings {
        let (clock, random) = Self::machine();
        DatabaseSettings { clock, random }
    }

    /// The database in a folder, for the one program that may own it.
    async fn open(&self, folder: &Path) -> Result<Stores, Exit> {
        Ok(self.composition.databases.open(folder, Self::database_settings()).await?)
    }

    /// The database, for an operator's command.
    async fn attach(&self) -> Result<Stores, Exit> {
        Ok(self.composition.databases.attach(&self.global.data_dir, Self::database_settings()).await?)
    }
}

/// What was typed, and what the environment says where nothing was.
fn parsed() -> Result<Cli, clap::Error> {
    let matches = Cli::command().try_get_matches().map_err(blame::blamed)?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut Cli::command()))?;
    cli.global.data_dir_is_typed = matches.value_source("data_dir") == Some(ValueSource::CommandLine);
    Ok(cli)
}

/// The program: reads the command line, runs the command, and gives the exit code.
pub fn main(composition: Composition) -> std::process::ExitCode {
    let cli = match parsed() {
        Ok(cli) => cli,
        // Clap takes a variable such as DATA_DIR for something that was typed, and then shows no help.
        Err(error) if error.kind() == ErrorKind::MissingSubcommand && std::env::args_os().len() == 1 => {
            eprint!("{}", Cli::command().render_help());
            return std::process::ExitCode::from(64);
        }
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // The help that clap prints when nothing was typed is not an answer to a question.
            return match error.print() {
                Ok(()) if asked => std::process::ExitCode::SUCCESS,
                _ => std::process::ExitCode::from(64),
            };
        }
    };
    let output = Output::new(cli.global.json, cli.global.color == Color::Always, cli.global.color == Color::Never);
    log::start(
        &cli.global,
        matches!(
            cli.command,
            Command::Dev(_)
                | Command::Chaos(_)
                | Command::Doctor(_)
                | Command::App { .. }
                | Command::Node { .. }
                | Command::Test { .. }
        ),
    );
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.fail(&Exit::new(71, format!("cannot start threads: {error}"))),
    };
    let command = cli.command;
    let context = Context { composition, global: cli.global, output };
    let result = runtime.block_on(dispatch(&context, command));
    // A worker that hangs in a call must not keep a stopped program alive.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    match result {
        Ok(code) => std::process::ExitCode::from(code),
        Err(exit) => context.output.fail(&exit),
    }
}

async fn dispatch(context: &Context, command: Command) -> Result<u8, Exit> {
    match command {
        Command::Dev(args) => dev::dev(context, args).await,
        Command::Chaos(args) => chaos::chaos(context, args).await,
        Command::Run(args) => run::run(context, args).await,
        Command::Check { format, deny_warnings } => {
            let format = match format {
                _ if context.global.json => CheckFormat::Json,
                CheckFormatArg::Text => CheckFormat::Text,
                CheckFormatArg::Line => CheckFormat::Line,
                CheckFormatArg::Json => CheckFormat::Json,
                CheckFormatArg::Github => CheckFormat::Github,
            };
            project::check_command(context, format, deny_warnings)
        }
        Command::Doctor(args) => doctor::doctor(context, args).await,
        Command::App { command } => app::app(context, command).await,
        Command::Node { command } => node::node(context, command).await,
        Command::Test { filter } => project::test_command(context, filter.as_deref()).await,
        Command::Graph { topology, format } => {
            let format = match format {
                GraphFormatArg::Text => GraphFormat::Text,
                GraphFormatArg::Mermaid => GraphFormat::Mermaid,
                GraphFormatArg::Dot => GraphFormat::Dot,
            };
            project::graph_command(context, topology.as_deref(), format)
        }
        Command::Ids { command } => ids::ids(context, command).await,
        Command::Trash { command } => trash::trash(context, command).await,
        Command::Pause { application, reason } => status::pause(context, application, Some(reason)).await,
        Command::Resume { application } => status::pause(context, application, None).await,
        Command::Status => status::status(context).await,
        Command::Explain { record, values } => explain::explain(context, &record, values).await,
        Command::Cases { command } => cases::cases(context, command).await,
        Command::Creates { command } => creates::creates(context, command).await,
        Command::Version => {
            let version = context.composition.version;
            context.output.print(&serde_json::json!({ "version": version }), || format!("pairline {version}\n"));
            Ok(0)
        }
    }
}

/// The number an item has in the list it was shown in.
fn number_of_list(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "expected the number that the list shows".to_owned())
}
