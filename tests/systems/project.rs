//! The files of a project, as somebody writes them who connects a system.

use std::fs;

use crate::bad_input::stage::Stage;
use crate::tidy::read;

/// A file of a project: its name and what is in it.
pub(crate) type File = (String, String);

/// The files that the guide shows, each below its name.
pub(crate) fn files_of_the_guide() -> Vec<File> {
    files_shown(&read("sdk/docs/connecting-a-system.md"))
}

/// The blocks of a page, each with its language.
pub(crate) fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("\n```").skip(1).step_by(2);
    fenced.map(|fenced| fenced.split_once('\n').unwrap_or((fenced, ""))).collect()
}

/// The files that a page shows: the blocks that begin with a comment of a name alone.
pub(crate) fn files_shown(page: &str) -> Vec<File> {
    let file = |block: &str| {
        let (first, rest) = block.split_once('\n')?;
        let comment = ["# ", "// ", "/* "].into_iter().find_map(|start| first.strip_prefix(start))?;
        let name = comment.trim_end_matches(" */");
        (!name.contains(' ')).then(|| (name.to_owned(), format!("{rest}\n")))
    };
    blocks(page).into_iter().filter_map(|(_, block)| file(block)).collect()
}

/// The description of the CRM as it is shipped.
pub(crate) fn crm() -> File {
    ("applications/crm.yaml".to_owned(), read("topologies/applications/crm.yaml"))
}

/// The topologies that the guide shows, for another system than the guide's, which keeps the CRM's id in a field.
pub(crate) fn topologies_of_the_guide(system: &str, inverse: &str) -> Vec<File> {
    let topologies = files_of_the_guide().into_iter().filter(|(file, _)| file.contains("-to-"));
    let turned = topologies.map(|(file, text)| {
        let text = text.replace("books", system).replace("field: ref", &format!("field: {inverse}"));
        (file.replace("books", system), text)
    });
    turned.collect()
}

/// Writes files into the stage's project.
pub(crate) fn write(stage: &Stage, files: impl IntoIterator<Item = File>) {
    for (file, text) in files {
        let path = stage.path("project").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}
