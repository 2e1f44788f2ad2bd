//! Signing in, many at once and again and again.

use std::future::Future;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use pairline_sdk::testing::intent;
use pairline_sdk::{Application, Clock as _, Outcome, ReadError, Record};
use tempfile::TempDir;

use super::super::HttpApplication;
use super::super::sign_in::AFTER_A_FAILURE;
use super::super::stage::create;
use super::token_server::{GIVEN, TokenServer};

const MANY: usize = 8;

type Read = Result<Option<Record>, ReadError>;

/// Reads the same record so many times at once; `meanwhile` goes on when all of them are on their way.
async fn at_once(application: &HttpApplication, meanwhile: impl Future<Output = ()>) -> Vec<Read> {
    let reads = join_all((0..MANY).map(|_| application.read("7")));
    soon(async { tokio::join!(reads, meanwhile).0 }).await
}

/// What happens soon, or it never does.
async fn soon<T>(happens: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), happens).await.expect("it happens soon")
}

async fn is_read(application: &HttpApplication) {
    application.read("7").await.unwrap().unwrap();
}

fn reason(read: Read) -> String {
    match read {
        Err(ReadError::Wait { reason, .. }) => reason,
        other => panic!("expected to be told to wait, found {other:?}"),
    }
}

/// Waits until the token server has been asked so often.
async fn asked(server: &TokenServer, times: usize) {
    let looks = async {
        while server.asked() < times {
            tokio::task::yield_now().await;
        }
    };
    soon(looks).await;
}

/// Lets answers of the token server arrive no more.
fn hold_answers(server: &TokenServer) -> usize {
    server.answers.forget_permits(usize::MAX)
}

/// A folder that is not there yet, and the file in it.
fn place() -> (TempDir, PathBuf, PathBuf) {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("credentials");
    let file = folder.join("crm.json");
    (above, folder, file)
}

#[tokio::test]
async fn many_calls_at_once_sign_in_once() {
    let server = TokenServer::new();
    let (application, _) = server.application(GIVEN, None);
    let free = hold_answers(&server);

    let read = at_once(&application, async {
        asked(&server, 1).await;
        server.answers.add_permits(free);
    });

    assert!(read.await.into_iter().all(|read| read.unwrap().is_some()));
    assert_eq!((server.asked(), server.calls()), (1, MANY));
}

#[tokio::test]
async fn a_refusal_is_told_to_all_who_have_waited_for_it_and_asked_for_once() {
    let server = TokenServer::new();
    let (application, clock) = server.application("of-somebody-else", None);
    let free = hold_answers(&server);

    let read = at_once(&application, async {
        asked(&server, 1).await;
        server.answers.add_permits(free);
    });

    for read in read.await {
        let reason = reason(read);
        assert!(reason.contains("does not let us sign in: check REFRESH"), "{reason}");
    }
    assert_eq!((server.asked(), server.calls()), (1, 0));
    // It may be a passing fault there.
    server.gives("of-somebody-else");
    clock.advance(Duration::from_secs(60));
    is_read(&application).await;
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end() {
    for (life, used) in [(3600, 3570), (40, 20)] {
        let server = TokenServer::whose_tokens_live(life);
        let (application, clock) = server.application(GIVEN, None);
        let one = Duration::from_secs(1);

        is_read(&application).await;
        clock.advance(Duration::from_secs(used) - one);
        is_read(&application).await;
        assert_eq!(server.asked(), 1);
        clock.advance(one);
        is_read(&application).await;

        assert_eq!((server.asked(), server.calls()), (2, 3), "{life}");
    }
}

#[tokio::test]
async fn a_session_that_is_over_is_given_up_once() {
    let server = TokenServer::new();
    let (application, _) = server.application(GIVEN, None);
    is_read(&application).await;
    server.ends_the_session();
    // The refusal of one of them is late.
    let free = server.refusals.forget_permits(usize::MAX);
    let late = at_once(&application, async {
        server.refusals.add_permits(MANY - 1);
        while application.signed_in.newest_over() == 0 {
            tokio::task::yield_now().await;
        }
        let renewed = at_once(&application, async {}).await;
        assert!(renewed.into_iter().all(|read| read.unwrap().is_some()));
        server.refusals.add_permits(free - MANY);
    });

    for read in late.await {
        let reason = reason(read);
        assert!(reason.contains("sign in again"), "{reason}");
    }
    is_read(&application).await;

    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn every_refresh_goes_on_with_the_newest_token() {
    let server = TokenServer::new();
    let (application, _) = server.application(GIVEN, None);

    for times in 1..4 {
        is_read(&application).await;
        server.ends_the_session();
        reason(application.read("7").await);
        assert_eq!(server.asked(), times);
    }
}

#[tokio::test]
async fn a_new_token_is_kept_before_anything_is_called_and_the_next_start_goes_on_with_it() {
    let server = TokenServer::new();
    let (_above, folder, file) = place();
    server.wants_it_kept_in(file);

    for _ in 0..3 {
        let (application, _) = server.application(GIVEN, Some(folder.clone()));
        is_read(&application).await;
        server.ends_the_session();
        reason(application.read("7").await);
        is_read(&application).await;
    }

    assert_eq!(server.newest(), "canary-refresh-f");
    // A person has got another one, and enters it.
    server.gives("canary-entered");
    let (application, _) = server.application("canary-entered", Some(folder.clone()));
    is_read(&application).await;
    let (application, _) = server.application("canary-entered", Some(folder));
    is_read(&application).await;
    assert_eq!(server.newest(), "canary-refresh-h");
}

#[tokio::test]
async fn whoever_gives_up_waiting_does_not_lose_a_new_token() {
    let server = TokenServer::new();
    let (_above, folder, file) = place();
    server.wants_it_kept_in(file);
    let (application, _) = server.application(GIVEN, Some(folder));
    let free = hold_answers(&server);

    tokio::select! {
        biased;
        read = application.read("7") => panic!("expected no answer yet, found {read:?}"),
        () = asked(&server, 1) => {}
    }
    server.answers.add_permits(free);
    application.at_rest().await;

    is_read(&application).await;
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_token_that_cannot_be_kept_is_not_used_and_kept_as_soon_as_it_can_be() {
    let server = TokenServer::new();
    let (_above, folder, file) = place();
    server.wants_it_kept_in(file.clone());
    let (application, clock) = server.application(GIVEN, Some(folder.clone()));
    let in_the_way = file.with_extension("json.new");
    std::fs::create_dir_all(&in_the_way).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();

    for _ in 0..3 {
        let reason = reason(application.read("7").await);
        assert!(reason.contains("crm.json cannot be written") && !reason.contains("canary"), "{reason}");
        clock.advance(AFTER_A_FAILURE);
    }
    assert_eq!((server.asked(), server.calls()), (1, 0));
    // Another program must not go by what is in the environment or in the file.
    let (other, _) = server.application(GIVEN, Some(folder));
    assert!(reason(other.read("7").await).contains("another program is signing in"));
    std::fs::remove_dir(in_the_way).unwrap();

    is_read(&application).await;
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn programs_at_one_folder_do_not_shut_each_other_out() {
    let server = TokenServer::new();
    let (_above, folder, file) = place();
    server.wants_it_kept_in(file);
    let [(running, _), (command, clock)] = [(); 2].map(|()| server.application(GIVEN, Some(folder.clone())));

    for _ in 0..2 {
        is_read(&running).await;
        // The server knows one access token: that of whoever came last.
        is_read_again(&command).await;
        is_read_again(&running).await;
    }
    // At the same moment.
    server.ends_the_session();
    reason(running.read("7").await);
    reason(command.read("7").await);
    let before = server.asked();
    let free = hold_answers(&server);
    let (read, ()) = tokio::join!(running.read("7"), async {
        asked(&server, before + 1).await;
        let reason = reason(command.read("7").await);
        assert!(reason.contains("another program is signing in"), "{reason}");
        server.answers.add_permits(free);
    });

    assert!(read.unwrap().is_some());
    clock.advance(AFTER_A_FAILURE);
    is_read(&command).await;
    assert_eq!(server.asked(), before + 2);
}

/// Reads, perhaps by a session that is over.
async fn is_read_again(application: &HttpApplication) {
    if application.read("7").await.is_err() {
        is_read(application).await;
    }
}

#[tokio::test]
async fn a_kept_token_that_is_refused_is_named_with_what_to_do() {
    let server = TokenServer::new();
    let (_above, folder, file) = place();
    is_read(&server.application(GIVEN, Some(folder.clone())).0).await;
    // As if the program had died before it could keep the last one.
    server.gives("canary-lost");
    let (application, _) = server.application(GIVEN, Some(folder.clone()));

    let reason = reason(application.read("7").await);

    assert!(reason.contains(&file.display().to_string()) && reason.contains("check REFRESH"), "{reason}");
    assert!(!reason.contains("canary"), "{reason}");
    is_read(&server.application("canary-lost", Some(folder)).0).await;
}

#[tokio::test]
async fn a_kept_token_that_cannot_be_read_stops_the_start() {
    let server = TokenServer::new();
    let (_above, folder, file) = place();
    is_read(&server.application(GIVEN, Some(folder.clone())).0).await;
    std::fs::write(&file, "{\"canary").unwrap();

    let said = server.try_application(GIVEN, Some(folder)).map(drop).unwrap_err();

    assert!(said.contains(&file.display().to_string()) && !said.contains("canary"), "{said}");
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_refusal_that_repeats_what_signing_in_has_got_is_its_status_alone() {
    let server = TokenServer::new();
    let (application, clock) = server.application(GIVEN, None);

    let mut reasons = Vec::new();
    for _ in 0..3 {
        let outcome = application.send(&intent(&application, &create(), clock.now())).await;
        let Outcome::Failed { reason } = outcome else { panic!("{outcome:?}") };
        reasons.push(reason);
    }

    let alone = "crm: refused with status 400";
    assert_eq!(reasons, [alone, alone, &format!("{alone} (NOTHING-OF-THAT)")]);
}
