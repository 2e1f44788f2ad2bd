//! The listing of changes: whatever it answers, a cursor is read back as it was written, never moves back, and never
//! moves past what the remote clock can show.
//!
//! The first line of an input names the system, the second is the cursor that was stored, and every further line is the
//! body of an answer.

use std::sync::LazyLock;

use pairline_runner::application::{Answer, Description};
use pairline_sdk::testing::run_now;
use pairline_sdk::{Application, ChangedPage};
use serde_json::{Value, json};

use super::stage::{CRM, ERP, Remote, application, described, is_id};

static SYSTEMS: LazyLock<[(&str, Description); 2]> =
    LazyLock::new(|| [("crm", described(CRM)), ("erp", described(ERP))]);

/// What the clock of the stage shows.
const NOW: i64 = 1_780_000_000_000;
/// A stamp further ahead than this moves nothing.
const AHEAD: i64 = 24 * 3_600_000;
/// The remote clock is known to move along for this long.
const ALONG: i64 = 60_000;

/// A cursor as it is stored: since when is to be listed, and the newest stamp that was seen.
fn read(cursor: &Value) -> Option<(i64, i64)> {
    if cursor.is_null() {
        return Some((0, 0));
    }
    let cursor = cursor.as_object().filter(|cursor| cursor.len() == 2)?;
    Some((cursor.get("since")?.as_i64()?, cursor.get("newest")?.as_i64()?))
}

pub(super) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.split('\n');
    let (Some(system), Some(stored)) = (lines.next(), lines.next()) else { return };
    let Some((_, description)) = SYSTEMS.iter().find(|(name, _)| *name == system) else { return };
    let answers: Vec<Answer> =
        lines.map(|line| Answer { status: 200, body: line.to_owned().into(), ..Answer::default() }).collect();
    let most = answers.len() + 3;
    let Ok(mut cursor) = serde_json::from_str::<Value>(stored) else { return };
    let remote = Remote::new(answers);
    let application = application(description.clone(), &remote).unwrap();

    let Some(mut at) = read(&cursor) else {
        let refused = run_now(application.changed(&cursor, None));
        assert!(refused.is_err(), "{cursor} was taken for a cursor");
        assert!(remote.asked.lock().unwrap().is_empty(), "listed from what is no cursor");
        return;
    };
    let mut page: Option<Value> = None;
    for _ in 0..most {
        let listed = match run_now(application.changed(&cursor, page.as_ref())) {
            Ok(listed) => listed,
            // The poll begins again where it was.
            Err(_) => {
                page = None;
                continue;
            }
        };
        let ChangedPage { records, next, cursor: moved, .. } = listed;
        assert!(records.iter().all(|record| is_id(&record.id)));
        let to = read(&moved).expect("a cursor of ours is a cursor");
        assert!(to.0 >= at.0 && to.1 >= at.1, "from {at:?} back to {to:?}");
        assert!(to.1 <= at.1.max(NOW + AHEAD), "from {at:?} to {to:?}, which no clock shows");
        assert!(to.0 <= at.0.max(to.1.saturating_add(ALONG)), "from {at:?} to {to:?}, past what was seen");
        // As the engine keeps it and gives it back.
        cursor = serde_json::from_str(&moved.to_string()).unwrap();
        assert_eq!(read(&cursor), Some(to), "{moved} is read back as {cursor}");
        at = to;
        page = next.map(|next| serde_json::from_str(&next.to_string()).unwrap());
    }
    let nonsense = run_now(application.changed(&cursor, Some(&json!({ "ask": stored }))));
    assert!(nonsense.is_err(), "nonsense was taken for a page");
}
