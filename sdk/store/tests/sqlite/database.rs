//! What is true of the file itself: its owner, its version, and a second process beside the owner.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pairline_sdk::{
    Arrival, Control, Creates, Delivery, Disposition, EngineError, Fields, Hint, ListQuery, Listed, Look, PairId,
    Rebase, RecordId, Revision, System, Unreadable, Worker,
};
use pairline_store::{Database, OpenError, Options};
use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{Semaphore, mpsc};

use crate::bench::{Bench, block_on};

/// Gives everything it gets to the test and finishes it.
struct Show(mpsc::UnboundedSender<Hint>);

#[async_trait::async_trait]
impl Worker for Show {
    async fn work(&self, hint: Hint) -> Disposition {
        self.0.send(hint).unwrap();
        Disposition::Done
    }
}

fn told(id: &str) -> Delivery {
    let record = RecordId::new(&System::new("crm"), id);
    Delivery { arrivals: vec![Arrival::look_at(record)], ..Delivery::default() }
}

async fn raw(bench: &Bench) -> SqliteConnection {
    let path = bench.database().path().display();
    SqliteConnection::connect(&format!("sqlite://{path}")).await.unwrap()
}

#[test]
fn a_second_runner_is_refused_and_told_who_has_it() {
    block_on(async {
        let bench = Bench::make().await;

        let refused = Database::open(bench.folder(), bench.options()).await.err().unwrap();

        assert!(matches!(refused, OpenError::Locked { pid: Some(pid), .. } if pid == std::process::id()), "{refused}");
        assert!(refused.to_string().contains("in use by another runner (process"));
    });
}

#[test]
fn a_database_that_was_closed_opens_at_once_and_counts_its_starts() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench::make().await;
        for start in 1..=3 {
            let database = Database::open(folder.path().join("new/deep"), bench.options()).await.unwrap();
            assert_eq!(database.start(), start);
            assert!(database.path().ends_with("new/deep/pairline.db"));
            let pairs = database.pairs();
            pairs.set_creates(&Creates::Allowed).await.unwrap();
            // A port that somebody still holds does not keep the lock.
            database.close().await;
            assert!(pairs.set_creates(&Creates::Undecided).await.is_err());
            assert!(pairs.creates().await.is_err());
        }
    });
}

#[test]
fn whoever_asks_for_a_write_as_the_database_closes_is_refused() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench::make().await;
        for _ in 0..50 {
            let database = Database::open(folder.path(), bench.options()).await.unwrap();
            let pairs = database.pairs();
            database.close().await;

            let answers = futures_util::future::join_all((0..16).map(|_| pairs.set_creates(&Creates::Allowed))).await;

            assert!(answers.iter().all(Result::is_err), "{answers:?}");
        }
    });
}

#[test]
fn a_database_of_a_newer_program_is_refused_and_left_alone() {
    block_on(async {
        let bench = Bench::make().await;
        let (folder, options) = (bench.folder().to_owned(), bench.options());
        let operator = Database::open_for_operator(&folder, options.clone()).await.unwrap();
        operator.close().await;
        sqlx::query("PRAGMA user_version = 999").execute(&mut raw(&bench).await).await.unwrap();

        let operator = Database::open_for_operator(&folder, options.clone()).await.err().unwrap();
        assert!(matches!(operator, OpenError::Newer { found: 999, .. }), "{operator}");
        let path = bench.database().path().to_owned();
        let copy = tempfile::tempdir().unwrap();
        sqlx::query("VACUUM INTO $1")
            .bind(copy.path().join("pairline.db").display().to_string())
            .execute(&mut raw(&bench).await)
            .await
            .unwrap();
        let refused = Database::open(copy.path(), options).await.err().unwrap();
        assert!(matches!(refused, OpenError::Newer { found: 999, .. }), "{refused}");
        assert!(refused.to_string().contains("used by a newer version of this program"));
        assert!(path.is_file());
    });
}

#[test]
fn a_file_of_somebody_else_is_not_touched() {
    block_on(async {
        let bench = Bench::make().await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("theirs.db");
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let mut theirs = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("CREATE TABLE theirs (a)").execute(&mut theirs).await.unwrap();

        let refused = Database::open(&path, bench.options()).await.err().unwrap();

        assert!(matches!(refused, OpenError::NotOurs { .. }), "{refused}");
        let tables: i64 =
            sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut theirs).await.unwrap();
        assert_eq!(tables, 1);
    });
}

#[test]
fn an_operator_finds_no_database_where_there_is_none_and_makes_none() {
    block_on(async {
        let bench = Bench::make().await;
        let folder = tempfile::tempdir().unwrap();

        let refused = Database::open_for_operator(folder.path(), bench.options()).await.err().unwrap();

        assert!(matches!(refused, OpenError::Absent { .. }), "{refused}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    });
}

#[test]
fn an_operators_pause_resume_and_approval_reach_the_runner() {
    block_on(async {
        let bench = Bench::make().await;
        let engine = bench.database().engine();
        let operator = Database::open_for_operator(bench.folder(), bench.options()).await.unwrap();
        assert_eq!(operator.start(), 1, "a command is no start of the program");
        let (sender, mut shown) = mpsc::unbounded_channel();
        let running = {
            let engine = engine.clone();
            tokio::spawn(async move { engine.run(std::sync::Arc::new(Show(sender)), 4).await })
        };
        engine.enqueue(told("1")).await.unwrap();
        assert_eq!(shown.recv().await.unwrap().record.id, "1");

        let systems = vec![System::new("crm")];
        let pause = Control::Pause { systems: systems.clone(), reason: "by hand".to_owned() };
        operator.engine().control(pause).await.unwrap();
        // The runner looks a few times a second; what it was given before that may still come.
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut held = 0;
        while held < 3 {
            assert!(Instant::now() < deadline, "expected that the runner notices the pause");
            engine.enqueue(told(&format!("{held}-{:?}", Instant::now()))).await.unwrap();
            let came = tokio::time::timeout(Duration::from_millis(50), shown.recv()).await;
            held = if came.is_ok() { 0 } else { held + 1 };
        }
        operator.engine().control(Control::Resume { systems }).await.unwrap();
        for _ in 0..held {
            assert!(shown.recv().await.is_some());
        }

        // A hint of an operator, of a system the runner has not seen yet.
        let mut other = told("9");
        other.arrivals[0].record.system = System::new("erp");
        operator.engine().enqueue(other).await.unwrap();
        assert_eq!(shown.recv().await.unwrap().record.system, System::new("erp"));

        let second = operator.engine().run(std::sync::Arc::new(Show(mpsc::unbounded_channel().0)), 1).await;
        assert!(matches!(second, Err(EngineError::Unavailable(_))), "only the owner hands out hints");
        operator.close().await;
        engine.control(Control::Stop).await.unwrap();
        running.await.unwrap().unwrap();
    });
}

/// Gives everything it gets to the test and waits for its word.
struct Wait(mpsc::UnboundedSender<Hint>, Arc<Semaphore>);

#[async_trait::async_trait]
impl Worker for Wait {
    async fn work(&self, hint: Hint) -> Disposition {
        self.0.send(hint).unwrap();
        self.1.acquire().await.unwrap().forget();
        Disposition::Done
    }
}

#[test]
fn what_an_operator_tells_of_a_record_at_work_is_not_over_with_that_work() {
    block_on(async {
        let bench = Bench::make().await;
        let engine = bench.database().engine();
        let operator = Database::open_for_operator(bench.folder(), bench.options()).await.unwrap();
        engine.enqueue(told("1")).await.unwrap();
        let ((sender, mut shown), word) = (mpsc::unbounded_channel(), Arc::new(Semaphore::new(0)));
        let worker = Arc::new(Wait(sender, word.clone()));
        let running = tokio::spawn({
            let engine = engine.clone();
            async move { engine.run(worker, 4).await }
        });
        assert_eq!(shown.recv().await.unwrap().record.id, "1");

        operator.engine().enqueue(told("1")).await.unwrap();
        engine.control(Control::Stop).await.unwrap();
        word.add_permits(1);
        running.await.unwrap().unwrap();

        assert_eq!(engine.health().await.unwrap().waiting, 1);
        operator.close().await;
    });
}

/// A pair as another process writes it.
const PAIR: &str = "\
    INSERT INTO pair VALUES (1, 'contact', 'crm', '1', '{}', 0, NULL, 0, 'erp', '9', '{}', 0, NULL, 0, NULL, NULL, 1, 1, \
    0, 'me', 0)";

#[test]
fn what_another_process_has_changed_is_not_decided_from_memory() {
    block_on(async {
        let bench = Bench::make().await;
        // It is the write itself that notices, however seldom anybody else looks.
        let options = Options { watch: Duration::from_secs(3600), ..bench.options() };
        let database = Database::open(bench.folder().join("other"), options).await.unwrap();
        let url = format!("sqlite://{}", database.path().display());
        let mut shell = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query(PAIR).execute(&mut shell).await.unwrap();
        let (pairs, erp) = (database.pairs(), System::new("erp"));
        let record = RecordId::new(&System::new("crm"), "1");
        // Whoever asks for an echo has the pair in memory from then on.
        let ours = json!({ "kind": "updated", "ours": true, "values": { "phone": "1" } });
        pairs.echo(&record, &serde_json::from_value(ours).unwrap()).await.unwrap();
        assert!(matches!(pairs.look(&record, &erp).await.unwrap(), Look::Found(pair) if pair.revision == Revision(1)));

        sqlx::query("UPDATE pair SET revision = 2").execute(&mut shell).await.unwrap();
        let changes = vec![(erp.clone(), Fields::new())];
        let rebase = |revision| Rebase {
            pair: PairId(1),
            revision,
            changes: changes.clone(),
            inverse_seen: Vec::new(),
            supersedes: None,
            notes: Vec::new(),
        };

        assert!(!pairs.rebase(&rebase(Revision(1))).await.unwrap(), "a decision on what is in memory");
        assert!(pairs.rebase(&rebase(Revision(2))).await.unwrap());
        assert!(matches!(pairs.look(&record, &erp).await.unwrap(), Look::Found(pair) if pair.revision == Revision(3)));
    });
}

#[test]
fn a_pair_never_goes_back_not_even_with_a_database_shell() {
    block_on(async {
        let bench = Bench::make().await;
        let mut shell = raw(&bench).await;
        sqlx::query(PAIR).execute(&mut shell).await.unwrap();

        for revision in [0, 1] {
            let back = sqlx::query("UPDATE pair SET revision = $1").bind(revision).execute(&mut shell).await;
            let refused = back.unwrap_err().to_string();
            assert!(refused.contains("a decision on an older revision"), "{refused}");
        }
    });
}

#[test]
fn a_mapping_row_cannot_be_deleted_not_even_with_a_database_shell() {
    block_on(async {
        let bench = Bench::make().await;
        let mut shell = raw(&bench).await;
        sqlx::query(PAIR).execute(&mut shell).await.unwrap();
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM mapping").fetch_one(&mut shell).await.unwrap();
        assert_eq!(rows, 2, "one for each direction");

        for statement in ["DELETE FROM mapping", "DELETE FROM pair"] {
            let refused = sqlx::query(statement).execute(&mut shell).await.unwrap_err().to_string();
            assert!(refused.contains("never deleted, only marked inactive"), "{refused}");
        }
        // And a record has one counterpart in a system, from whichever side it is written.
        for (crm, erp) in [("1", "10"), ("2", "9")] {
            let second = sqlx::query(
                "INSERT INTO pair VALUES (2, 'contact', 'crm', $1, '{}', 0, NULL, 0, 'erp', $2, '{}', 0, NULL, 0, \
                 NULL, NULL, 1, 1, 0, 'me', 0)",
            );
            assert!(second.bind(crm).bind(erp).execute(&mut shell).await.is_err());
        }
    });
}

#[test]
fn an_event_that_an_earlier_version_has_taken_is_not_taken_again() {
    block_on(async {
        let (bench, folder) = (Bench::make().await, tempfile::tempdir().unwrap());
        let path = folder.path().join("pairline.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut shell = SqliteConnection::connect_with(&options).await.unwrap();
        for text in [
            include_str!("../../migrations/sqlite/0001_mapping_ledger_inbox.sql"),
            include_str!("../../migrations/sqlite/0002_earlier_attempts.sql"),
            "PRAGMA application_id = 0x50414952; PRAGMA user_version = 2",
            "INSERT INTO inbox VALUES (7, 'crm', 'e-1', '1', 'created', 1700000000000)",
        ] {
            sqlx::raw_sql(text).execute(&mut shell).await.unwrap();
        }
        shell.close().await.unwrap();

        let database = Database::open(folder.path(), bench.options()).await.unwrap();

        let mut again = told("1");
        again.arrivals[0].event_key = Some("e-1".to_owned());
        let taken = database.engine().enqueue(again).await.unwrap();
        assert_eq!((taken.accepted, taken.duplicates), (0, 1));
        let events = ListQuery::Events(RecordId::new(&System::new("crm"), "1"));
        let events = database.engine().list(events, 10).await.unwrap().into_events().unwrap();
        assert_eq!(events[0].received_at.as_millis(), 1_700_000_000_000);
        database.close().await;
    });
}

#[test]
fn a_delivery_is_taken_whole_or_not_at_all() {
    block_on(async {
        let bench = Bench::make().await;
        let engine = bench.database().engine();
        sqlx::query(
            "CREATE TRIGGER broken BEFORE INSERT ON trash BEGIN SELECT RAISE(ABORT, 'the disk has a bad day'); END",
        )
        .execute(&mut raw(&bench).await)
        .await
        .unwrap();
        let mut bad = told("1");
        bad.arrivals[0].event_key = Some("e-1".to_owned());
        bad.unreadable.push(Unreadable { system: System::new("crm"), reason: "no id".into(), body: "{}".into() });
        bad.cursor = Some((System::new("crm"), serde_json::json!(1)));

        // Others that are committed in the same breath do not suffer.
        let good: Vec<_> = (0..8).map(|id| engine.enqueue(told(&format!("good-{id}")))).collect();
        let (refused, taken) =
            futures_util::future::join(engine.enqueue(bad), futures_util::future::join_all(good)).await;

        assert!(matches!(refused, Err(EngineError::Unavailable(_))));
        assert!(taken.iter().all(Result::is_ok), "{taken:?}");
        assert_eq!(engine.cursor(&System::new("crm")).await.unwrap(), serde_json::Value::Null);
        assert_eq!(engine.health().await.unwrap().waiting, 8);
        let events = ListQuery::Events(RecordId::new(&System::new("crm"), "1"));
        assert_eq!(engine.list(events, 10).await.unwrap(), Listed::Events(Vec::new()));
    });
}

#[test]
fn a_probe_fails_while_nothing_can_be_written() {
    block_on(async {
        let bench = Bench::make().await;
        let engine = bench.database().engine();
        engine.probe().await.unwrap();
        engine.probe().await.unwrap();
        let mut shell = raw(&bench).await;
        let broken =
            "CREATE TRIGGER broken BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'the disk has a bad day'); END";
        sqlx::query(broken).execute(&mut shell).await.unwrap();

        let refused = engine.probe().await;

        assert!(matches!(refused, Err(EngineError::Unavailable(_))), "{refused:?}");
        sqlx::query("DROP TRIGGER broken").execute(&mut shell).await.unwrap();
        engine.probe().await.unwrap();
    });
}
