//! `judge restart`: how soon the program is ready again when it is killed at work on a database of many pairs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pairline_fakes::judge::{Aftermath, Bystander, Kills};
use pairline_runner::machine::{SystemClock, SystemRandom};
use pairline_store::{Database, Options};
use rusqlite::Connection;

use crate::kills::show;
use crate::{number, pairline};

pub(crate) async fn restart(mut words: impl Iterator<Item = String>) -> Result<bool, String> {
    let by_chance_within = Duration::from_secs(4);
    let mut run = Kills { kills: 20, seed: 1, marks: Vec::new(), by_chance_within, keep: false };
    let (mut path, mut json, mut pairs) = (None, false, 1_000_000);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("expected a value after {word}"));
        match word.as_str() {
            "--pairs" => pairs = number(&word, &value()?)?,
            "--kills" => run.kills = number(&word, &value()?)?,
            "--live-ms" => run.by_chance_within = Duration::from_millis(number(&word, &value()?)?),
            "--seed" => run.seed = number(&word, &value()?)?,
            "--program" => path = Some(PathBuf::from(value()?)),
            "--json" => json = true,
            "--keep" => run.keep = true,
            other => return Err(format!("no option `{other}`")),
        }
    }
    let program = pairline(path.as_deref())?;
    let mut years = Years { pairs, told: !json, longest_log: 0 };
    let report = run.run_beside(&program, &mut years).await.map_err(|error| error.to_string())?;
    show(&report, json)?;
    if years.told {
        println!("the longest log that a kill left to be read at the start: {} MiB", years.longest_log / 1024 / 1024);
    }
    Ok(report.passed())
}

/// What years of work leave behind: so many pairs, each with the create that made it.
struct Years {
    pairs: i64,
    told: bool,
    /// Of the database's write-ahead log, in bytes.
    longest_log: u64,
}

/// The mapping rows are written by the schema's own trigger.
const PAIRS: &str = "\
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
    INSERT INTO pair (id, contract, first_system, first_id, first_base, first_inverse_written, first_newest, \
        first_created_by_us, second_system, second_id, second_base, second_inverse_written, second_newest, \
        second_created_by_us, gone, gone_since, revision, agreement, created_at, created_by, last_seen_at) \
    SELECT i, 'contact', 'crm', 'old-' || i, '{\"firstname\":\"Ada\",\"phone\":\"+1\"}', 1, NULL, 0, \
        'erp', 'OLD-' || i, '{\"name\":\"Ada\",\"phone\":\"+1\"}', 1, 'old-' || i, \
        1, NULL, NULL, 1, 0, ?2, 'crm-to-erp', ?2 FROM n";

const OPERATIONS: &str = "\
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
    INSERT INTO operation (id, kind, state, pair, contract, source_system, source_id, target_system, target_id, method, \
        path, body, idempotency_key, writes, inverse_field, inverse_id, answered, first_sent_at, sent_at, ended_at, \
        deadline_ms, request_life_ms, attempts, in_doubt, start, reason, correlation_id, topology, node) \
    SELECT 'old-' || i, 'create', 'committed', i, 'contact', 'crm', 'old-' || i, 'erp', 'OLD-' || i, 'POST', \
        '/records', '{\"name\":\"Ada\",\"phone\":\"+1\",\"external_id\":\"old-' || i || '\"}', 'old:' || i, '[]', 'external_id', \
        'old-' || i, '{\"name\":\"Ada\",\"phone\":\"+1\"}', ?2, ?2, ?2, 3000, 5000, 1, 0, 1, NULL, 'old', 'crm-to-erp', 'create' \
    FROM n";

impl Bystander for Years {
    fn before(&mut self, data: &Path) -> io::Result<()> {
        let began = Instant::now();
        let path = made(data)?;
        let written = || -> rusqlite::Result<()> {
            let mut raw = Connection::open(&path)?;
            // Nobody relies on this database before all of it is there.
            raw.pragma_update(None, "synchronous", "off")?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
            let row = (self.pairs, i64::try_from(now).unwrap_or(i64::MAX));
            let transaction = raw.transaction()?;
            transaction.execute(PAIRS, row)?;
            transaction.execute(OPERATIONS, row)?;
            transaction.commit()
        };
        written().map_err(io::Error::other)?;
        if self.told {
            let mib = path.metadata()?.len() / 1024 / 1024;
            println!("{} pairs, {mib} MiB, written in {} s", self.pairs, began.elapsed().as_secs());
        }
        Ok(())
    }

    fn after(&mut self, aftermath: Aftermath<'_>) -> io::Result<()> {
        let log = aftermath.data.join("pairline.db-wal").metadata().map_or(0, |log| log.len());
        self.longest_log = self.longest_log.max(log);
        Ok(())
    }
}

/// Makes the database as the program does, and answers its file.
fn made(data: &Path) -> io::Result<PathBuf> {
    let options = Options::new(Arc::new(SystemClock), Arc::<SystemRandom>::default());
    let made = async {
        let database = Database::open(data, options).await?;
        let path = database.path().to_owned();
        database.close().await;
        Ok::<_, pairline_store::OpenError>(path)
    };
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(made)).map_err(io::Error::other)
}
