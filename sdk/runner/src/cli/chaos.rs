//! `chaos`: the user's own topologies at work while everything goes wrong, and what harm that did.

mod casting;
mod ledger;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::time::Instant;

use clap::Args;
use serde_json::json;

use self::casting::Casting;
use self::ledger::Ledger;
use super::run::ended;
use super::{Context, Exit, project, typed};
use crate::composition::{ChaosError, ChaosFaults, ChaosOrders, ChaosProgress};

/// What is made when nothing is said. Each is far more than a healthy system shows.
const DEFAULTS: ChaosArgs = ChaosArgs {
    seed: 1,
    size: 200,
    kill: 3,
    dup: 10.0,
    reorder: 10.0,
    drop: 5.0,
    drop_responses: 5.0,
    rate_limit: 100,
    keep: false,
};

/// Plays people against your topologies while calls, webhooks and the program itself fail, then audits both systems.
///
/// The topologies, the sync contract and the application descriptions of --config (or the built-in ones) run as a child
/// process with a fresh database, on 127.0.0.1, against a fake CRM and a fake ERP. Half of the people are known on both
/// sides before; the others are made while things go wrong. Everybody's records are edited on both sides, some fields on
/// both at once, and some records are deleted. Then all is well again, and once both sides are quiet they are compared
/// with what people did.
///
/// Without options that is: 200 people, 3 kills, 10 % of the webhooks twice, 10 % out of order, 5 % lost, the answers to
/// 5 % of the calls lost, 100 calls a second. Besides, every call takes up to 60 ms, and searches and listings are as far
/// behind as the contract of the reference systems allows. It takes half a minute or so.
///
/// Exit code 0: no harm found. 1: harm, or it did not become quiet in time. 69: these systems cannot be played.
#[derive(Clone, Debug, PartialEq, Args)]
pub(super) struct ChaosArgs {
    /// Decides who does what and what goes wrong. It repeats the kind of trouble, not the exact run.
    #[arg(long, value_name = "N", default_value_t = DEFAULTS.seed)]
    seed: u64,
    /// People in the run, 2 to 5000.
    #[arg(long, value_name = "N", default_value_t = DEFAULTS.size, value_parser = clap::value_parser!(u32).range(2..=5000))]
    size: u32,
    /// How often the program is killed (SIGKILL) and started again on the same data, 50 times at most.
    #[arg(long, value_name = "N", default_value_t = DEFAULTS.kill, value_parser = clap::value_parser!(u32).range(0..=50))]
    kill: u32,
    /// Percent of the webhooks that are sent twice.
    #[arg(long, value_name = "P", default_value_t = DEFAULTS.dup, value_parser = percent, allow_negative_numbers = true)]
    dup: f64,
    /// Percent of the webhooks that are overtaken by later ones.
    #[arg(long, value_name = "P", default_value_t = DEFAULTS.reorder, value_parser = percent, allow_negative_numbers = true)]
    reorder: f64,
    /// Percent of the webhooks that never arrive.
    #[arg(long, value_name = "P", default_value_t = DEFAULTS.drop, value_parser = percent, allow_negative_numbers = true)]
    drop: f64,
    /// Percent of the calls whose answer is lost, late or cannot be read; nearly all of these calls are carried out.
    #[arg(long, value_name = "P", default_value_t = DEFAULTS.drop_responses, value_parser = percent, allow_negative_numbers = true)]
    drop_responses: f64,
    /// Calls a second each system takes before it answers 429; 0 for any number.
    #[arg(long, value_name = "N", default_value_t = DEFAULTS.rate_limit, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    rate_limit: u32,
    /// Keep the program's data and log. They are always kept when there is harm.
    #[arg(long)]
    keep: bool,
}

/// A share, as people say it.
fn percent(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.strip_suffix('%').unwrap_or(text).trim().parse().ok();
    let number = number.filter(|number| (0.0..=100.0).contains(number));
    number.ok_or_else(|| format!("expected a percentage from 0 to 100, found `{text}`"))
}

impl ChaosArgs {
    fn faults(&self) -> ChaosFaults {
        ChaosFaults {
            doubled: self.dup / 100.0,
            reordered: self.reorder / 100.0,
            dropped: self.drop / 100.0,
            responses_dropped: self.drop_responses / 100.0,
            rate_limit_per_s: self.rate_limit,
        }
    }

    /// The options that make the same kind of trouble again.
    fn again(&self) -> String {
        let mut options = format!("--seed {}", self.seed);
        for (option, value, default) in [
            ("--size", f64::from(self.size), f64::from(DEFAULTS.size)),
            ("--kill", f64::from(self.kill), f64::from(DEFAULTS.kill)),
            ("--dup", self.dup, DEFAULTS.dup),
            ("--reorder", self.reorder, DEFAULTS.reorder),
            ("--drop", self.drop, DEFAULTS.drop),
            ("--drop-responses", self.drop_responses, DEFAULTS.drop_responses),
            ("--rate-limit", f64::from(self.rate_limit), f64::from(DEFAULTS.rate_limit)),
        ] {
            if value != default {
                options += &format!(" {option} {value}");
            }
        }
        options
    }
}

pub(super) async fn chaos(context: &Context, args: ChaosArgs) -> Result<u8, Exit> {
    let ended = ended()?;
    let project = project::load_sound(context)?;
    let chaos = &context.composition.chaos;
    let played = chaos.played();
    let cannot = |message| Exit::new(69, message);
    let casting = Casting::of(&project, &played).map_err(cannot)?;
    let unjudged = chaos.unjudged(&casting.contract, &casting.applications).map_err(cannot)?;
    let orders = orders(context, &args, casting)?;
    let line = ProgressLine::new(args.kill);
    let outcome = {
        let tell = |progress| line.draw(progress);
        let play = chaos.play(orders, &tell);
        tokio::select! {
            // A signal ends the child too; that is no finding.
            biased;
            code = ended => {
                line.clear();
                return Ok(code);
            }
            outcome = play => outcome,
        }
    };
    line.clear();
    let outcome = outcome.map_err(|ChaosError { message, exit_code }| Exit::new(exit_code, message))?;
    let mut program = typed::program();
    if let Some(folder) = &context.global.config {
        program += &format!(" --config {}", typed::word(&folder.to_string_lossy()));
    }
    let options = args.again();
    let origin = match &context.global.config {
        Some(folder) => folder.display().to_string(),
        None => "the built-in topologies".to_owned(),
    };
    let ledger = Ledger {
        outcome: &outcome,
        unjudged: &unjudged,
        played: &played,
        seed: args.seed,
        origin: &origin,
        program: &program,
        options: &options,
    };
    let asked = json!({
        "seed": args.seed, "size": args.size, "kill": args.kill, "dup": args.dup, "reorder": args.reorder,
        "drop": args.drop, "drop_responses": args.drop_responses, "rate_limit": args.rate_limit,
    });
    context.output.print(&ledger.json(asked), || ledger.text(context.output.colour()));
    Ok(u8::from(!ledger.is_clean()))
}

/// The child is this program again, with the same texts and nothing else of our own surroundings.
fn orders(context: &Context, args: &ChaosArgs, casting: Casting) -> Result<ChaosOrders, Exit> {
    let program = std::env::current_exe();
    let program =
        program.map_err(|error| Exit::new(71, format!("cannot find this program to start it again: {error}")))?;
    let mut arguments: Vec<OsString> = ["run", "--log-format", "text", "--color", "never"].map(OsString::from).into();
    if let Some(folder) = &context.global.config {
        let folder = std::path::absolute(folder);
        let folder = folder.map_err(|error| Exit::new(65, format!("cannot find the folder of --config: {error}")))?;
        arguments.extend([OsString::from("--config"), folder.into_os_string()]);
    }
    Ok(ChaosOrders {
        program,
        arguments,
        contract: casting.contract,
        applications: casting.applications,
        seed: args.seed,
        size: args.size as usize,
        kills: args.kill,
        faults: args.faults(),
        keep: args.keep,
    })
}

/// One line on a terminal that shows how far it is; nothing anywhere else.
struct ProgressLine {
    began: Instant,
    kills: u32,
    shown: bool,
}

impl ProgressLine {
    fn new(kills: u32) -> Self {
        Self { began: Instant::now(), kills, shown: std::io::stderr().is_terminal() }
    }

    fn draw(&self, progress: ChaosProgress) {
        if self.shown {
            let text = self.text(progress);
            let mut stderr = std::io::stderr().lock();
            stderr.write_all(format!("\r{text}\x1b[K").as_bytes()).and_then(|()| stderr.flush()).ok();
        }
    }

    fn text(&self, progress: ChaosProgress) -> String {
        let ChaosProgress { phase, edits, kills } = progress;
        let kills = if self.kills > 0 { format!(", {kills} of {} kills", self.kills) } else { String::new() };
        format!("{phase}: {edits} edits{kills}, {} s", self.began.elapsed().as_secs())
    }

    fn clear(&self) {
        if self.shown {
            std::io::stderr().lock().write_all(b"\r\x1b[K").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        args: ChaosArgs,
    }

    fn typed(words: &[&str]) -> Result<ChaosArgs, String> {
        let parsed = Typed::try_parse_from([&["chaos"], words].concat());
        parsed.map(|typed| typed.args).map_err(|error| error.to_string())
    }

    #[test]
    fn without_options_the_defaults_are_those_of_the_help() {
        let args = typed(&[]).unwrap();

        assert_eq!(args, DEFAULTS);
        assert_eq!(args.again(), "--seed 1");
        let help = <Typed as clap::CommandFactory>::command().render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in ["[default: 200]", "[default: 3]", "[default: 10]", "[default: 5]", "[default: 100]"] {
            assert!(help.contains(part), "{help}");
        }
        for part in
            ["200 people, 3 kills, 10 % of the webhooks twice, 10 % out of order, 5 % lost", "100 calls a second"]
        {
            assert!(help.contains(part), "{help}");
        }
    }

    #[test]
    fn percentages_are_read_as_people_write_them() {
        for (text, share) in [("0", 0.0), ("5", 0.05), ("5%", 0.05), ("2.5", 0.025), ("100", 1.0), ("100 %", 1.0)] {
            let args = typed(&["--drop", text]).unwrap();
            assert_eq!(args.faults().dropped, share, "{text}");
        }
        for option in ["--dup", "--reorder", "--drop", "--drop-responses"] {
            for text in ["101", "-1", "many", "", "NaN", "inf", "5%%"] {
                let told = typed(&[option, text]).unwrap_err();
                assert!(told.contains("expected a percentage from 0 to 100"), "{option} {text}: {told}");
            }
        }
    }

    #[test]
    fn sizes_have_a_limit() {
        for words in
            [["--size", "1"], ["--size", "5001"], ["--kill", "51"], ["--kill", "-1"], ["--rate-limit", "100001"]]
        {
            assert!(typed(&words).is_err(), "{words:?}");
        }
        assert_eq!(typed(&["--size", "5000", "--kill", "0", "--rate-limit", "0"]).unwrap().size, 5000);
    }

    #[test]
    fn what_differs_from_the_defaults_is_typed_again() {
        let args = typed(&["--seed", "7", "--kill", "1", "--drop-responses", "2.5"]).unwrap();

        assert_eq!(args.again(), "--seed 7 --kill 1 --drop-responses 2.5");
        assert_eq!(typed(&args.again().split(' ').collect::<Vec<_>>()).unwrap(), args);
    }

    #[test]
    fn the_progress_is_one_short_line() {
        let line = ProgressLine::new(3);

        let text = line.text(ChaosProgress { phase: "trouble", edits: 312, kills: 1 });

        assert_eq!(text, "trouble: 312 edits, 1 of 3 kills, 0 s");
        let text = ProgressLine::new(0).text(ChaosProgress { phase: "healing", edits: 312, kills: 0 });
        assert_eq!(text, "healing: 312 edits, 0 s");
    }
}
