//! The guide's pages for each language: what they show is a node, from an empty folder to its answer.

use std::fs;

use serde_json::Value;

use super::language::{Built, JS, Language, PYTHON, TS};
use super::machine::{C, Machine, RUST};
use crate::bad_input::stage::copied;
use crate::systems::installed::run;
use crate::systems::project::{File, blocks, files_shown};
use crate::tidy::{at, read};

/// A node that a page shows.
struct Example {
    language: &'static str,
    name: String,
    /// The commands in its folder before something is written there.
    begins: Vec<String>,
    /// What is written in the place of the template's.
    files: Vec<File>,
    /// The commands after that.
    builds: Vec<String>,
    /// What is asked, and what is answered.
    runs: Vec<(String, String)>,
    /// Nodes of a topology with it.
    topology: String,
}

impl Example {
    fn of(language: &'static str, name: &str) -> Self {
        let page = read(&format!("sdk/docs/components/{language}.md"));
        let begin = format!("pairline node new --lang {language} {name}\n");
        let chapter = page.split("\n## ").find(|chapter| chapter.contains(&begin));
        let chapter = chapter.unwrap_or_else(|| panic!("{language}: no chapter begins a node `{name}`"));
        let of = |language: &str| -> Vec<&str> {
            let shown = blocks(chapter).into_iter().filter(|(other, _)| *other == language);
            shown.map(|(_, block)| block).collect()
        };
        let lines = |block: &&str| -> Vec<String> { block.lines().map(str::to_owned).collect() };
        let commands = of("sh");
        let [topology] = of("yaml")[..] else { panic!("{name}: expected one piece of a topology") };
        let mut begins = commands.first().map(lines).unwrap_or_default();
        let entered: Vec<_> = begins.drain(..2).collect();
        assert_eq!(entered, [begin.trim_end(), &format!("cd {name}")], "{language}");
        Self {
            language,
            name: name.to_owned(),
            begins,
            files: files_shown(chapter),
            builds: commands.iter().skip(1).flat_map(lines).collect(),
            runs: of("console").into_iter().map(asked_and_answered).collect(),
            topology: topology.to_owned(),
        }
    }

    /// Asks what the page asks, and answers what came.
    fn answers(&self, built: &Built) -> Vec<String> {
        let name = &self.name;
        let answers = self.runs.iter().map(|(command, shown)| {
            let output = built.command(command).output().unwrap();
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert_eq!(said.trim_end(), shown, "{}: {name}: {command}", self.language);
            let finished = output.status.code() == Some(0);
            assert_eq!(finished, !said.starts_with("error: "), "{name}: {:?}", output.status);
            if finished {
                let (_, body) = said.split_once('\n').unwrap();
                let [before, after]: [Value; 2] =
                    [echoed(command), body].map(|text| serde_json::from_str(text).unwrap());
                assert_eq!(before["record"], after["record"], "{name} changes the record");
            }
            said
        });
        let answers = answers.collect();
        self.is_sound_in_its_topology(built);
        answers
    }

    /// Puts the piece of a topology where the page says, into the one that is shipped.
    fn is_sound_in_its_topology(&self, built: &Built) {
        let scratch = tempfile::tempdir().unwrap();
        let project = scratch.path().join("project");
        copied(&at("topologies"), &project);
        let plugins = project.join("plugins");
        fs::create_dir_all(&plugins).unwrap();
        fs::copy(&built.file, plugins.join(format!("{}.wasm", self.name))).unwrap();
        let file = project.join("crm-to-erp.yaml");
        let shipped = fs::read_to_string(&file).unwrap();
        let (replaced, _) = self.topology.split_once(":\n").unwrap();
        let old = shipped.split_once(&format!("\n{replaced}:\n")).unwrap().1;
        let old = old.split_inclusive('\n').take_while(|line| line.starts_with("    ")).collect::<String>();
        let old = format!("{replaced}:\n{old}");
        fs::write(&file, shipped.replacen(&old, &format!("{}\n", self.topology), 1)).unwrap();

        let project = project.display();
        run(&mut built.command(&format!("pairline --config '{project}' check --deny-warnings")));
    }
}

/// Makes nodes by the commands of a page.
trait Maker {
    fn language(&self) -> &'static str;

    /// None where the compiler is missing, which is said.
    fn made(&self, example: &Example) -> Option<Built>;
}

impl Maker for Language {
    fn language(&self) -> &'static str {
        self.name
    }

    fn made(&self, Example { name, begins, files, builds, .. }: &Example) -> Option<Built> {
        let template = self.template();
        if files.is_empty() {
            // What was done to make the template is what the page says.
            assert_eq!(name, self.called, "{}: another node than the template's shows no file", self.name);
            let made: Vec<_> = template.steps.iter().filter(|step| !step.starts_with("pairline node ")).collect();
            assert_eq!(begins.iter().chain(builds).collect::<Vec<_>>(), made, "{name}");
            return Some(template);
        }
        assert!(template.steps.starts_with(begins), "{name}: {:?} is not {begins:?}", template.steps);
        Some(self.changed(name, files, builds))
    }
}

impl Maker for Machine {
    fn language(&self) -> &'static str {
        self.name
    }

    fn made(&self, Example { name, begins, files, builds, .. }: &Example) -> Option<Built> {
        self.built(name, begins, files, builds)
    }
}

/// What a node of a page answers, if its compiler is here.
fn answers(maker: &impl Maker, name: &str) -> Option<Vec<String>> {
    let example = Example::of(maker.language(), name);
    Some(example.answers(&maker.made(&example)?))
}

/// The command of a block, which goes on for as long as a line says so, and what it printed.
fn asked_and_answered(block: &str) -> (String, String) {
    let lines: Vec<&str> = block.lines().collect();
    let goes_on = |line: &&&str| line.ends_with(['|', '\\']);
    let (command, answer) = lines.split_at(lines.iter().take_while(goes_on).count() + 1);
    let command = command.join("\n");
    let command = command.strip_prefix("$ ").unwrap_or_else(|| panic!("expected a command, found {command}"));
    (command.to_owned(), answer.join("\n"))
}

/// The message that a command begins with.
fn echoed(command: &str) -> &str {
    command.strip_prefix("echo '").and_then(|rest| rest.split('\'').next()).unwrap()
}

fn a_lead_is_hot_or_cold(language: &impl Maker) {
    let Some(answers) = answers(language, "lead-score") else { return };

    let [hot, cold, broken] = &answers[..] else { panic!("{answers:?}") };
    assert!(hot.starts_with("goes on along `hot`\n"), "{hot}");
    assert!(cold.starts_with("goes on along `cold`\n"), "{cold}");
    assert!(broken.starts_with("error: the message goes to the trash: expected "), "{broken}");
}

fn a_number_gets_its_one_spelling(language: &impl Maker) {
    let Some(answers) = answers(language, "phone") else { return };

    let [readable, .., unreadable] = &answers[..] else { panic!("{answers:?}") };
    assert!(readable.contains("\"+442079460958\""), "{readable}");
    assert!(
        ["goes on along `unreadable`\n", "error: the message goes to the trash: crm:"]
            .iter()
            .any(|start| unreadable.starts_with(start)),
        "{unreadable}"
    );
    assert!(!unreadable.contains('+'), "{unreadable}");
}

fn a_counterpart_is_found_and_never_picked_of_two(language: &impl Maker) {
    let Some(answers) = answers(language, "match") else { return };

    let [matched, none, ambiguous] = &answers[..] else { panic!("{answers:?}") };
    let body = |answer: &str| -> Value { serde_json::from_str(answer.split_once('\n').unwrap().1).unwrap() };
    let erp = |id: &str| serde_json::json!({ "system": "erp", "id": id });
    assert!(matched.starts_with("goes on along `matched`\n"), "{matched}");
    assert_eq!(body(matched)["match"]["record"], erp("7"));
    assert!(none.starts_with("goes on along `none`\n"), "{none}");
    assert_eq!(body(none).get("match"), None);
    assert!(ambiguous.starts_with("goes on along `ambiguous`\n"), "{ambiguous}");
    assert_eq!(body(ambiguous)["match"]["records"], serde_json::json!([erp("7"), erp("8")]));
}

#[test]
fn every_language_of_a_template_has_a_page() {
    let page = read("sdk/docs/components.md");
    for entry in fs::read_dir(at("sdk/templates")).unwrap() {
        let language = entry.unwrap().file_name().into_string().unwrap();

        assert!(page.contains(&format!("](components/{language}.md)")), "the page leads to none about {language}");
    }
}

macro_rules! in_each_language {
    ($($module:ident: $language:ident),*) => {$(
        mod $module {
            use super::$language;

            #[test]
            fn a_lead_is_hot_or_cold_as_the_page_shows() {
                super::a_lead_is_hot_or_cold(&$language);
            }

            #[test]
            fn a_number_gets_its_one_spelling_as_the_page_shows() {
                super::a_number_gets_its_one_spelling(&$language);
            }

            #[test]
            fn a_counterpart_is_found_and_never_picked_of_two_as_the_page_shows() {
                super::a_counterpart_is_found_and_never_picked_of_two(&$language);
            }
        }
    )*};
}

in_each_language!(c: C, js: JS, python: PYTHON, rust: RUST, ts: TS);
