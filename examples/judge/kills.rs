//! `judge kills`: any number of kills, at every moment that has a name and by chance.

use std::path::PathBuf;
use std::time::Duration;

use pairline_fakes::judge::{KillReport, Kills, Mark};
use pairline_runner::kill::{Moment, VARIABLE};

use crate::{number, pairline};

/// Who has no moment is killed within this.
const BY_CHANCE_WITHIN: Duration = Duration::from_millis(600);

pub(crate) async fn kills(mut words: impl Iterator<Item = String>) -> Result<bool, String> {
    let mark = |moment: &Moment| Mark {
        variable: VARIABLE.to_owned(),
        name: moment.name(),
        lead: moment.lead().map(Moment::name),
    };
    let marks = Moment::all().iter().map(mark).collect();
    let mut run = Kills { kills: 1_000, seed: 1, marks, by_chance_within: BY_CHANCE_WITHIN, keep: false };
    let (mut path, mut json) = (None, false);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("expected a value after {word}"));
        match word.as_str() {
            "--kills" => run.kills = number(&word, &value()?)?,
            "--seed" => run.seed = number(&word, &value()?)?,
            "--program" => path = Some(PathBuf::from(value()?)),
            "--json" => json = true,
            "--keep" => run.keep = true,
            other => return Err(format!("no option `{other}`")),
        }
    }
    // Everything that has ended is old, so that there is something to prune.
    let program = pairline(path.as_deref())?.env("PAIRLINE_KEEP_DAYS", "0").env("PAIRLINE_POLL_MS", "400");
    let report = run.run(&program).await.map_err(|error| error.to_string())?;
    show(&report, json)?;
    Ok(report.passed() && report.unreached().is_empty())
}

/// As text, or as one line of JSON.
pub(crate) fn show(report: &KillReport, json: bool) -> Result<(), String> {
    if json {
        println!("{}", serde_json::to_string(report).map_err(|error| error.to_string())?);
    } else {
        print!("{report}");
    }
    Ok(())
}
