//! A system that is to be left alone for a while.

use super::EngineUnderTest;
use super::desk::play;
use super::news::tell;
use crate::Control;
use crate::testing::contact::{contact, crm, customer};

pub async fn a_paused_system_takes_hints_and_hands_none_out(test: impl EngineUnderTest) {
    let engine = test.engine();
    engine.control(pause()).await.unwrap();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        tell(&engine, &contact("2"), "e-2").await;
        tell(&engine, &customer("9"), "e-3").await;
        desk.next_is(&customer("9")).await;
        let health = engine.health().await.unwrap();
        assert_eq!(health.paused, [(crm(), "maintenance".to_owned())]);
        assert_eq!(health.waiting, 3);

        engine.control(Control::Resume { systems: vec![crm()] }).await.unwrap();

        desk.one(&contact("1")).await;
        desk.one(&contact("2")).await;
        assert_eq!(engine.health().await.unwrap().paused, []);
    })
    .await;
}

pub async fn a_pause_survives_a_restart(test: impl EngineUnderTest) {
    let engine = test.engine();
    engine.control(pause()).await.unwrap();
    tell(&engine, &contact("1"), "e-1").await;
    tell(&engine, &customer("9"), "e-2").await;
    drop(engine);

    let test = test.restart().await;
    let engine = test.engine();
    play(&engine, 4, async |desk| {
        desk.next_is(&customer("9")).await;
        engine.control(Control::Resume { systems: vec![crm()] }).await.unwrap();
        desk.next_is(&contact("1")).await;
    })
    .await;
}

fn pause() -> Control {
    Control::Pause { systems: vec![crm()], reason: "maintenance".to_owned() }
}
