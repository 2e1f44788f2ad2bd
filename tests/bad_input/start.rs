//! Starts that cannot be, and stops.

use std::fs::{self, OpenOptions};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;

use pairline_fakes::Port;
use serde_json::json;

use super::runner::STOPS_WITHIN;
use super::stage::{Stage, pairline};
use super::wait::until;

/// Where SQLite keeps `user_version` and `application_id` in the first page.
const USER_VERSION: u64 = 60;
const APPLICATION_ID: u64 = 68;

/// A database that a runner has made and closed, with four bytes of its first page changed.
fn changed(stage: &Stage, at: u64, number: u32) {
    stage.run(&[]).stop();
    let file = OpenOptions::new().write(true).open(stage.database()).unwrap();
    file.write_all_at(&number.to_be_bytes(), at).unwrap();
}

#[test]
fn an_occupied_port_is_named_and_leaves_nothing_running() {
    let stage = Stage::new();
    let occupied = TcpListener::bind((Ipv4Addr::LOCALHOST, stage.port)).unwrap();

    let said = stage.refused(&[]);

    let address = format!("127.0.0.1:{}", stage.port);
    said.fails_with(69, &["cannot listen on", &address, "in use", "--port"]);
    assert_eq!(stage.crm.calls().total() + stage.erp.calls().total(), 0);
    assert!(!stage.path("data").exists(), "a start that cannot be has made a data folder");
    drop(occupied);
    stage.run(&[]).stop();
}

#[test]
fn fm_080_a_second_runner_on_the_same_data_names_the_owner_which_keeps_working() {
    let stage = Stage::new();
    let first = stage.run(&[]);
    let port = stage.port;
    let another = Port::free().unwrap();
    stage.set("PORT", another.number().to_string());

    let said = stage.refused(&[]);

    let owner = format!("process {}", first.child.id());
    said.fails_with(75, &["pairline.db is in use by another runner", &owner, "one owner"]);
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
    stage.crm.person_creates(json!({ "email": "ada@example.org" })).unwrap();
    stage.agrees_on(1);
    first.stop();
}

#[test]
fn fm_083_a_database_of_a_newer_version_is_left_alone() {
    let stage = Stage::new();
    changed(&stage, USER_VERSION, 99);
    let before = fs::read(stage.database()).unwrap();

    for said in [stage.refused(&[]), stage.cli(&["status"]), stage.cli(&["ids", "list"])] {
        said.fails_with(65, &["pairline.db has schema version 99", "a newer version of this program"]);
    }

    assert_eq!(fs::read(stage.database()).unwrap(), before);
    fs::remove_file(stage.database()).unwrap();
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let stage = Stage::new();
    changed(&stage, APPLICATION_ID, 7);
    let before = fs::read(stage.database()).unwrap();

    for said in [stage.refused(&[]), stage.cli(&["status"])] {
        said.fails_with(65, &["pairline.db is not a Pairline database"]);
    }

    assert_eq!(fs::read(stage.database()).unwrap(), before);
    fs::remove_file(stage.database()).unwrap();
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let text = "Dear diary, ".repeat(1000);
    let stage = Stage::new();
    fs::create_dir(stage.path("data")).unwrap();
    fs::write(stage.database(), &text).unwrap();

    for said in [stage.refused(&[]), stage.cli(&["status"])] {
        said.fails_with(65, &["pairline.db is not a Pairline database"]);
    }

    assert_eq!(fs::read_to_string(stage.database()).unwrap(), text);
    fs::remove_file(stage.database()).unwrap();
}

#[test]
fn fm_077_a_database_with_a_torn_page_is_named_as_damaged() {
    let stage = Stage::new();
    stage.run(&[]).stop();
    let length = fs::metadata(stage.database()).unwrap().len();
    let file = OpenOptions::new().write(true).open(stage.database()).unwrap();
    file.write_all_at(&vec![0xa5; usize::try_from(length).unwrap() - 4096], 4096).unwrap();

    stage.refused(&[]).fails_with(65, &["pairline.db", "damaged"]);

    fs::remove_file(stage.database()).unwrap();
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named() {
    let stage = Stage::new();
    fs::write(stage.path("data"), "a file where the folder should be").unwrap();
    stage.set("DATA_DIR", stage.path("data").join("inside").display().to_string());

    stage.refused(&[]).fails_with(73, &["cannot use", "data/inside"]);
}

#[test]
fn an_operator_command_without_a_database_says_where_it_looked() {
    let stage = Stage::new();

    for args in [vec!["status"], vec!["ids", "list"], vec!["trash", "list"], vec!["pause"], vec!["explain", "crm:1"]] {
        let said = stage.cli(&args);
        said.fails_with(65, &["there is no database at", "data/pairline.db", "--data-dir"]);
        assert_eq!(said.stdout, "");
    }
    assert!(!stage.path("data").exists(), "a command that reads made something");
}

#[test]
fn a_supervisors_stop_is_quick_and_clean_also_while_the_systems_do_not_answer() {
    let stage = Stage::new();
    let mut runner = stage.run(&[]);
    let (code, took) = runner.terminate();
    assert_eq!(code, Some(0), "{}", runner.log());
    assert!(took < STOPS_WITHIN, "{took:?}");

    // The first start is over; now every call hangs, and the program is stopped in the midst of one.
    let mut faults = pairline_fakes::Faults { latency_from_ms: 8_000, latency_to_ms: 8_000, ..Default::default() };
    stage.crm.set_faults(faults.clone()).unwrap();
    stage.erp.set_faults(faults.clone()).unwrap();
    let runner = stage.run(&[]);
    stage.crm.person_creates(json!({ "email": "ada@example.org" })).unwrap();
    until("the delivery is acknowledged", || (stage.crm.pending_deliveries() == 0).then_some(()));
    runner.stop();

    (faults.latency_from_ms, faults.latency_to_ms) = (0, 0);
    stage.crm.set_faults(faults.clone()).unwrap();
    stage.erp.set_faults(faults).unwrap();
    let runner = stage.run(&[]);
    stage.agrees_on(1);
    runner.stop();
}

#[test]
fn a_start_that_waits_for_a_system_can_be_stopped() {
    let stage = Stage::new();
    stage.set("CRM_BASE_URL", "http://127.0.0.1:9");
    let mut runner = stage.start(pairline(), &[]);
    runner.says("the first start has to look at both systems and waits");
    assert!(
        TcpStream::connect((Ipv4Addr::LOCALHOST, stage.port)).is_err(),
        "the port is open before the start is over"
    );

    let (code, took) = runner.terminate();

    assert_eq!(code, Some(0), "{}", runner.log());
    assert!(took < STOPS_WITHIN, "{took:?}");
}
