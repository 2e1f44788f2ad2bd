//! What a system was told to send, beside what is waited for.

use serde_json::{Value, json};

use super::remote::{Remote, WEBHOOK, Ways};
use super::{asked, changed, codes, fact, found, of};
use crate::bad_input::stage::Stage;

const SHOP: &str = "applications/shop.yaml";
const OURS: &str = "https://sync.invalid/webhooks/shop?key=zyx-of-the-url";
const SECRET: &str = "canary-shop-secret-77ab";

/// A shop that sends webhooks and was told to send these.
fn sending(stage: &Stage, hooks: Vec<Value>) -> Remote {
    stage.set("SHOP_SECRET", SECRET);
    let remote = Remote::connected(stage, Ways::default(), |text| {
        let text = text.replacen("echo: {}", "echo: { actor: [{ event: /by, is: us }] }", 1);
        format!("{text}{WEBHOOK}")
    });
    remote.is_told_to_send(hooks);
    remote
}

fn hook(url: &str, events: &Value) -> Value {
    json!({ "url": url, "events": events, "state": "active", "signing_secret": "zyx-of-a-hook" })
}

/// What the doctor says of it; no secret is in there, however it is said.
fn told_of(stage: &Stage) -> Value {
    let (_, told) = asked(stage, &["shop"]);
    let as_text = stage.cli(&["--config", "project", "doctor", "shop"]).stdout;
    for said in [told.to_string(), as_text] {
        assert!(!said.contains("zyx") && !said.contains(SECRET), "{said}");
    }
    told
}

#[test]
fn a_system_that_was_told_to_send_everything_is_fine() {
    let stage = Stage::new();
    let remote = sending(&stage, vec![hook(OURS, &json!(["item.made", "item.changed", "item.gone", "item.seen"]))]);
    let to = "it sends to https://sync.invalid what is waited for: item.made, item.changed, item.gone";

    let told = told_of(&stage);
    assert_eq!((codes(&told), fact(of(&told, "shop"), "subscriptions")), (vec![], to), "{told:#}");

    // Each by itself, on a page of its own, and in whatever way the URL and the event are written.
    remote.is_told_to_send(vec![
        hook("https://SYNC.invalid:443/webhooks/shop/", &json!("item.made")),
        hook("https://ada:zyx@sync.invalid/webhooks/shop?key=zyx", &json!(["item.changed"])),
        hook(OURS, &json!(["item.gone"])),
    ]);
    let told = told_of(&stage);
    assert_eq!((codes(&told), fact(of(&told, "shop"), "subscriptions")), (vec![], to), "{told:#}");

    remote.is_told_to_send(vec![hook(OURS, &json!(["everything"]))]);
    assert_eq!(codes(&told_of(&stage)), [""; 0]);
}

#[test]
fn an_event_that_nobody_subscribed_to_is_found_where_it_is_named() {
    let stage = Stage::new();
    let remote = sending(&stage, vec![hook(OURS, &json!(["item.made"]))]);

    let told = told_of(&stage);
    assert_eq!(codes(&told), ["PL0718", "PL0718"], "{told:#}");
    let changed = found(&stage, &told, "PL0718", SHOP, "updated: [item.changed]");
    assert_eq!(changed["severity"], "error");
    assert!(changed["message"].as_str().unwrap().contains("no webhook will come for `item.changed`"), "{told:#}");

    // One that is switched off sends nothing.
    let mut off = hook(OURS, &json!(["everything"]));
    off["state"] = json!("paused");
    remote.is_told_to_send(vec![off, hook(OURS, &json!(["item.made", "item.changed"]))]);
    let told = told_of(&stage);
    let gone = found(&stage, &told, "PL0718", SHOP, "deleted: [item.gone]");
    assert!(gone["message"].as_str().unwrap().ends_with("is switched off"), "{told:#}");
    assert_eq!(codes(&told).len(), 1, "{told:#}");

    remote.is_told_to_send(vec![]);
    assert_eq!(codes(&told_of(&stage)), ["PL0718"; 3]);
}

#[test]
fn what_is_sent_elsewhere_is_not_ours() {
    let stage = Stage::new();
    let all = json!(["everything"]);
    let elsewhere = [
        "https://hooks.invalid/zyx-path?token=zyx",
        "https://ada:zyx@sync.invalid/zyx",
        "http://sync.invalid/webhooks/shop",
        "zyx is no URL",
    ];
    sending(&stage, elsewhere.map(|url| hook(url, &all)).to_vec());

    let told = told_of(&stage);

    assert_eq!(codes(&told), ["PL0718"; 3], "{told:#}");
    let said = fact(of(&told, "shop"), "elsewhere");
    for place in
        ["https://hooks.invalid,", "https://sync.invalid by another path", "http://sync.invalid,", "a URL that is none"]
    {
        assert!(format!("{said},").contains(place), "{place}: {said}");
    }
}

#[test]
fn without_a_url_to_compare_with_the_path_decides() {
    let stage = Stage::new();
    let all = json!(["everything"]);
    let remote = sending(&stage, vec![hook("https://anywhere.invalid/a/webhooks/shop", &all)]);
    changed(&stage, SHOP, |text| {
        let text = text.replacen("    signs: \"{url}{body}\"\n", "    signs: \"{body}\"\n", 1);
        text.replacen("    url: https://sync.invalid/webhooks/shop?key=zyx-of-the-url\n", "", 1)
    });

    let told = told_of(&stage);
    assert!(fact(of(&told, "shop"), "subscriptions").starts_with("it sends to https://anywhere.invalid "), "{told:#}");
    assert_eq!(codes(&told), [""; 0]);

    // Two systems that are told of the same are not one that is told twice.
    let two = ["https://anywhere.invalid/webhooks/shop", "https://other.invalid/webhooks/shop"];
    remote.is_told_to_send(two.map(|url| hook(url, &all)).to_vec());
    assert_eq!(codes(&told_of(&stage)), [""; 0]);
    remote.is_told_to_send(vec![hook("https://anywhere.invalid/webhooks/crm", &all)]);
    assert_eq!(codes(&told_of(&stage)), ["PL0718"; 3]);
}

#[test]
fn an_event_that_is_sent_twice_is_a_warning() {
    let stage = Stage::new();
    let remote = sending(&stage, vec![hook(OURS, &json!(["everything"])), hook(OURS, &json!(["item.changed"]))]);

    let told = told_of(&stage);

    let twice = found(&stage, &told, "PL0719", SHOP, "updated: [item.changed]");
    assert_eq!((&twice["severity"], codes(&told).len()), (&json!("warning"), 1), "{told:#}");
    assert!(twice["message"].as_str().unwrap().contains("to https://sync.invalid by 2 subscriptions"), "{told:#}");

    let mut off = hook(OURS, &json!(["item.changed"]));
    off["state"] = json!("paused");
    remote.is_told_to_send(vec![hook(OURS, &json!(["everything"])), off]);
    assert_eq!(codes(&told_of(&stage)), [""; 0]);
}

#[test]
fn a_system_that_is_told_field_by_field_is_asked_for_each_field_of_the_contract() {
    let stage = Stage::new();
    let of_field = |name: &str| {
        let mut hook = hook(OURS, &json!("item.changed"));
        hook["field"] = json!(name);
        hook
    };
    let rest = hook(OURS, &json!(["item.made", "item.gone"]));
    let remote = sending(&stage, vec![rest.clone(), of_field("mail"), of_field("tel"), of_field("title")]);
    assert_eq!(codes(&told_of(&stage)), [""; 0]);

    remote.is_told_to_send(vec![rest.clone(), of_field("mail"), of_field("zyx")]);
    let told = told_of(&stage);
    let untold = found(&stage, &told, "PL0718", SHOP, "updated: [item.changed]");
    assert!(untold["message"].as_str().unwrap().contains("`item.changed` of `tel`, `title`:"), "{told:#}");
    assert!(!of(&told, "shop").to_string().contains("what is waited for"), "{told:#}");

    // All of them once, and one of them once more.
    remote.is_told_to_send(vec![rest, hook(OURS, &json!("item.changed")), of_field("mail")]);
    assert_eq!(codes(&told_of(&stage)), ["PL0719"]);
}

#[test]
fn an_answer_that_cannot_be_read_is_found_at_the_key() {
    for (from, to, line) in [
        ("records: /hooks", "records: /webhooks", "list: { method: GET, path: /hooks"),
        ("path: /hooks", "path: /items/none", "list: { method: GET, path: /items/none"),
        ("    url: /url\n", "    url: /address\n", "    url: /address"),
        ("events: /events", "events: /signing_secret/x", "events: /signing_secret/x"),
        ("at: /state", "at: /status", "active: { at: /status"),
    ] {
        let stage = Stage::new();
        sending(&stage, vec![hook(OURS, &json!(["everything"]))]);
        changed(&stage, SHOP, |text| text.replacen(from, to, 1));

        let told = told_of(&stage);

        found(&stage, &told, "PL0706", SHOP, line);
        assert_eq!(codes(&told).len(), 1, "{told:#}");
    }
}
