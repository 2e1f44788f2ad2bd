//! The reference of the YAML: its example is sound, its tests pass, and it leaves out no key and no word that is accepted.
//!
//! What is accepted is asked for: with a key or a word that nobody knows, a finding lists those that are known there. So
//! the example has to use every key, or nobody would ask below it.

use std::collections::BTreeSet;

use pairline_runner::project::{Project, Sources};
use pairline_runner::story::{self, TestFormat};

use crate::support::registry;
use crate::systems::project::files_of_the_guide;
use crate::tidy::read;

/// A key and a word that is none.
const NONE: &str = "zz";

/// The files of the example, each with the chapter of the page that shows it.
const FILES: [(&str, &str); 4] = [
    ("shop-to-erp.yaml", "Topology"),
    ("contracts/customer.yaml", "Sync contract"),
    ("applications/shop.yaml", "Application description"),
    ("shop-to-erp.test.yaml", "Tests"),
];

fn page() -> String {
    read("sdk/docs/yaml.md")
}

/// The files as the page shows them.
fn example() -> Vec<(&'static str, String)> {
    let page = page();
    let shown = |chapter: &str| {
        let (_, chapter) = page.split_once(&format!("\n## {chapter}\n")).unwrap();
        let (_, block) = chapter.split_once("```yaml\n").unwrap();
        block.split_once("```").unwrap().0.to_owned()
    };
    FILES.map(|(file, chapter)| (file, shown(chapter))).into()
}

/// What may stand instead of something in the shop's description, and in none of the other systems'.
const INSTEAD: [(&str, &str); 5] = [
    ("bearer: \"${SHOP_TOKEN}\"", "basic: { user: a, password: b }"),
    (
        "bearer: \"${SHOP_TOKEN}\"",
        "oauth2: { token_url: \"http://a.test\", client_id: a, client_secret: b, refresh_token: c, scope: d }",
    ),
    (
        "bearer: \"${SHOP_TOKEN}\"",
        "hmac: { header: a, value: \"{signature}\", algorithm: hmac-sha256, signs: \"{path}{timestamp}{body}\", encoding: hex, secret: b, timestamp: { header: c, unit: seconds } }",
    ),
    ("records: /people\n      next: /next\n", "records: /people\n      one: true\n"),
    ("records: /people, next: /next", "records: /people, next: { offset: 100 }"),
];

/// A native node of the example, and what may stand at a component.
const NATIVE: &str = "    uses: fetch\n";
const COMPONENT: &str = "    uses: ./plugins/a.wasm
    limits: { timeout: 1s, memory: 1MiB, calls: 1 }
    grants: { pairs: read, applications: [shop], writes: [erp], http: [\"https://a.test\"], secrets: [A] }
";

/// The example, and systems that are described otherwise: what an application may say instead of something else.
fn all_examples() -> Vec<(String, String)> {
    let mut files: Vec<_> = example().into_iter().map(|(file, text)| (file.to_owned(), text)).collect();
    let shop = files.iter().find(|(file, _)| file == "applications/shop.yaml").unwrap().1.clone();
    for (index, (from, to)) in INSTEAD.into_iter().enumerate() {
        assert!(shop.contains(from), "{from}");
        files.push((format!("applications/shop-{index}.yaml"), shop.replacen(from, to, 1)));
    }
    let topology = &files.iter().find(|(file, _)| file == "shop-to-erp.yaml").unwrap().1;
    assert!(topology.contains(NATIVE));
    files.push(("shop-to-erp-0.yaml".to_owned(), topology.replacen(NATIVE, COMPONENT, 1)));
    files.extend(files_of_the_guide());
    for file in ["crm.yaml", "tryton.yaml", "salesforce.yaml", "stripe.yaml"] {
        let folder = if file == "crm.yaml" { "applications" } else { "library" };
        let text = read(&format!("topologies/{folder}/{file}"));
        // What stands in the bodies of examples is the system's, and none of it is a key.
        let (described, _) = text.split_once("\nexamples:\n").unwrap();
        files.push((format!("applications/{file}"), format!("{described}\n")));
    }
    files
}

/// These files beside the ERP that is shipped.
fn sources(files: &[(impl AsRef<str>, String)]) -> Sources {
    let mut sources = Sources::default();
    sources.add("applications/erp.yaml", "applications/erp.yaml", &read("topologies/applications/erp.yaml"));
    for (file, text) in files {
        sources.add(file.as_ref(), file.as_ref(), text);
    }
    sources
}

/// Everything `check` and `test` say of the example when one of its files is another.
async fn said(files: &[(String, String)], changed: &str, text: String) -> String {
    let own =
        |(file, own): &(String, String)| (file.clone(), if *file == changed { text.clone() } else { own.clone() });
    let files: Vec<_> = files.iter().map(own).collect();
    let project = Project::load(&sources(&files), &registry());
    let mut said: String = project.findings.iter().map(|finding| finding.render(false) + "\n").collect();
    if changed.ends_with(".test.yaml") {
        said += &story::test(&project, &registry(), "").await.render(TestFormat::Text, false);
    }
    said
}

/// The text with a key that is none in each of its maps, one at a time.
fn with_a_key_too_many(text: &str) -> Vec<String> {
    let mut changed = vec![format!("{NONE}: []\n{text}")];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (words, indent) = (line.trim_start(), line.len() - line.trim_start().len());
        let spaces = " ".repeat(indent);
        let before = |changed: &str| format!("{}{changed}{}", &text[..at], &text[at..]);
        if let Some(first) = words.strip_prefix("- ").filter(|first| !first.starts_with('{')) {
            // The first key of an item.
            let rest = &text[at + line.len()..];
            changed.push(format!("{}{spaces}- {NONE}: []\n{spaces}  {first}{rest}", &text[..at]));
        } else if !words.trim().is_empty() && !words.starts_with("- ") {
            changed.push(before(&format!("{spaces}{NONE}: []\n")));
        }
        for (inside, _) in line.match_indices("{ ") {
            let place = at + inside + 2;
            changed.push(format!("{}{NONE}: [], {}", &text[..place], &text[place..]));
        }
        at += line.len();
    }
    changed
}

/// The text with a word that is none as the value of each key, or of its list, one at a time.
fn with_a_wrong_word(text: &str, key: &str) -> Vec<String> {
    let named = format!("{key}: ");
    let places = text.match_indices(&named).filter(|(at, _)| text[..*at].ends_with([' ', '\n']) || *at == 0);
    let changed = places.map(|(at, _)| {
        let (before, value) = text.split_at(at + named.len());
        let (open, close, wrong) = if value.starts_with('[') { ("[", "]", "]") } else { ("", "", "") };
        let value = value.strip_prefix(open).unwrap_or(value);
        let end = if close.is_empty() { value.find([',', '}', '\n']) } else { value.find(close).map(|end| end + 1) };
        format!("{before}{open}{NONE}{wrong} {}", &value[end.unwrap_or(value.len())..])
    });
    changed.collect()
}

/// Every name that the page's text has in code, apart from the examples: of `start.webhook` both.
fn named(page: &str) -> BTreeSet<&str> {
    let text = page.split("```").step_by(2);
    let code = text.flat_map(|text| text.split('`').skip(1).step_by(2));
    code.flat_map(|code| code.split('.')).collect()
}

/// The names in a list that follows one of these openings.
fn listed<'a>(said: &'a str, openings: &[&str]) -> BTreeSet<&'a str> {
    let lists = openings.iter().flat_map(|opening| said.split(opening).skip(1));
    let names = lists.flat_map(|rest| {
        let line = rest.lines().next().unwrap_or_default();
        line.split(';').next().unwrap_or_default().split(", ").flat_map(|names| names.split(" and "))
    });
    names.map(|name| name.trim_matches('`')).filter(|name| !name.starts_with("found ")).collect()
}

#[tokio::test]
async fn the_example_is_sound_and_its_tests_pass() {
    let files = example();
    let project = Project::load(&sources(&files), &registry());
    assert!(project.findings.is_empty(), "{:?}", project.findings);

    let report = story::test(&project, &registry(), "").await;

    assert_eq!(report.exit_code(), 0, "{}", report.render(TestFormat::Text, false));
    assert_eq!(report.passed(), 4);
}

#[tokio::test]
async fn the_reference_names_every_key_and_every_word_that_is_accepted() {
    let (page, files) = (page(), all_examples());
    let mut keys: BTreeSet<String> = BTreeSet::new();
    for (file, text) in &files {
        for changed in with_a_key_too_many(text) {
            let said = said(&files, file, changed).await;
            let known = ["known keys: ", "unknown field `zz`, expected one of ", "expected two ids, "];
            keys.extend(listed(&said, &known).into_iter().map(str::to_owned));
        }
    }
    // One of each file, and of each part of a test that is read when it is played.
    for key in ["uses", "violation", "tolerance", "messages", "fails", "reason", "ours", "agreed"] {
        assert!(keys.contains(key), "nobody has said that there is a key `{key}`: {keys:?}");
    }
    for key in &keys {
        assert!(named(&page).contains(key.as_str()), "the reference does not name the key `{key}`");
        let used =
            files.iter().any(|(_, text)| text.contains(&format!("{key}: ")) || text.contains(&format!("{key}:\n")));
        assert!(used, "the example does not use the key `{key}`, so nobody knows what may stand below it");
    }

    let mut words: BTreeSet<String> = BTreeSet::new();
    for (file, text) in &files {
        for key in &keys {
            for changed in with_a_wrong_word(text, key) {
                let said = said(&files, file, changed).await;
                let known = ["known values: ", "unknown variant `zz`, expected one of ", "known policies: "];
                words.extend(listed(&said, &known).into_iter().map(str::to_owned));
            }
        }
    }
    for word in ["hmac-sha256", "prefer <system>", "collapse-spaces", "not-sent", "deleted", "rfc3339"] {
        assert!(words.contains(word), "nobody has said that there is a word `{word}`: {words:?}");
    }
    for word in &words {
        assert!(named(&page).contains(word.as_str()), "the reference does not name the word `{word}`");
    }
}
