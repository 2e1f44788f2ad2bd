//! The files of a project, as somebody writes them who connects a system.

use std::fs;

use super::unlike::files_of_the_guide;
use crate::bad_input::stage::Stage;
use crate::tidy::read;

/// Writes files into the stage's project, with the description of the CRM as it is shipped.
pub(super) fn write(stage: &Stage, files: impl IntoIterator<Item = (String, String)>) {
    let crm = ("applications/crm.yaml".to_owned(), read("topologies/applications/crm.yaml"));
    for (file, text) in files.into_iter().chain([crm]) {
        let path = stage.path("project").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// The topologies that the guide shows, for another system than the guide's, which keeps the CRM's id in a field.
pub(super) fn topologies_of_the_guide(system: &str, inverse: &str) -> Vec<(String, String)> {
    let topologies = files_of_the_guide().into_iter().filter(|(file, _)| file.contains("-to-"));
    let turned = topologies.map(|(file, text)| {
        let text = text.replace("books", system).replace("field: ref", &format!("field: {inverse}"));
        (file.replace("books", system), text)
    });
    turned.collect()
}
