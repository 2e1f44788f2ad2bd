//! A wired topology as text, or as a drawing in Mermaid or DOT.

use std::fmt::Write as _;

use super::graph::{Graph, Start, Step};

/// How a topology is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GraphFormat {
    /// Lines for a terminal.
    #[default]
    Text,
    /// A Mermaid flowchart.
    Mermaid,
    /// A Graphviz digraph.
    Dot,
}

/// Shows wired topologies. Routes that a topology leaves to a node's default are dashed, or in brackets.
pub fn render(graphs: &[&Graph], format: GraphFormat) -> String {
    let mut out = String::new();
    match format {
        GraphFormat::Text => graphs.iter().for_each(|graph| text(&mut out, graph)),
        GraphFormat::Mermaid => {
            out.push_str("flowchart LR\n");
            graphs.iter().enumerate().for_each(|(number, graph)| mermaid(&mut out, number, graph));
        }
        GraphFormat::Dot => {
            out.push_str("digraph pairline {\n  rankdir=LR;\n  node [shape=box];\n");
            graphs.iter().enumerate().for_each(|(number, graph)| dot(&mut out, number, graph));
            out.push_str("}\n");
        }
    }
    out
}

/// A line from a node to what comes next: the node's index, the label, the step, whether it is a default.
fn lines(graph: &Graph) -> Vec<(usize, String, Step, bool)> {
    let mut lines = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        for route in &node.next.routes {
            lines.extend(route.steps.iter().map(|step| (index, route.name.clone(), *step, route.by_default)));
        }
        if node.next.routes.is_empty() {
            lines.extend(node.next.success.iter().map(|step| (index, String::new(), *step, false)));
        }
    }
    lines
}

fn text(out: &mut String, graph: &Graph) {
    let name = |step: &Step| match step {
        Step::Node(index) => graph.nodes[*index].name.as_str(),
        Step::End => "end",
        Step::Repeat => "repeat",
    };
    let names = |steps: &[Step]| steps.iter().map(name).collect::<Vec<_>>().join(", ");
    let Graph { start, .. } = graph;
    let width = graph.nodes.iter().map(|node| node.name.chars().count()).max().unwrap_or_default().max(5);
    // Writing into a String does not fail.
    let mut line = |text: String| out.push_str(&(text.trim_end().to_owned() + "\n"));
    line(format!("{} (sync contract {})", graph.name, graph.contract));
    line(format!("  {}", graph.about));
    line(format!("  {:width$}  {}: {} -> {}", "start", start.application, what_starts(start), names(&start.next)));
    for node in &graph.nodes {
        let mut ways: Vec<String> = Vec::new();
        for route in &node.next.routes {
            let way = format!("{} -> {}", route.name, names(&route.steps));
            ways.push(if route.by_default { format!("({way})") } else { way });
        }
        if node.next.routes.is_empty() {
            ways.push(format!("-> {}", names(&node.next.success)));
        }
        line(format!("  {:width$}  {}", node.name, ways.join(", ")));
    }
    line(String::new());
}

fn mermaid(out: &mut String, number: usize, graph: &Graph) {
    let mut line = |text: String| out.push_str(&(text + "\n"));
    line(format!("  subgraph t{number}[\"{}\"]", escaped(&graph.name)));
    let events = escaped(&what_starts(&graph.start));
    line(format!("    t{number}_start([\"{}: {events}\"])", escaped(graph.start.application.as_str())));
    for (index, node) in graph.nodes.iter().enumerate() {
        line(format!("    t{number}_n{index}[\"{}\"]", escaped(&node.name)));
    }
    let target = |step: Step, from: &str| match step {
        Step::Node(index) => format!("t{number}_n{index}"),
        Step::End => format!("{from}_end((\"end\"))"),
        Step::Repeat => format!("{from}_repeat((\"repeat\"))"),
    };
    let start = format!("t{number}_start");
    for step in &graph.start.next {
        line(format!("    {start} --> {}", target(*step, &start)));
    }
    for (index, label, step, by_default) in lines(graph) {
        let from = format!("t{number}_n{index}");
        let arrow = if by_default { "-.->" } else { "-->" };
        let label = if label.is_empty() { label } else { format!("|{}|", escaped(&label)) };
        line(format!("    {from} {arrow}{label} {}", target(step, &from)));
    }
    line("  end".to_owned());
}

fn dot(out: &mut String, number: usize, graph: &Graph) {
    let mut line = |text: String| out.push_str(&(text + "\n"));
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    line(format!("  subgraph cluster_{number} {{"));
    line(format!("    label={};", quoted(&graph.name)));
    let start = format!("t{number}_start");
    let label = format!("{}: {}", graph.start.application, what_starts(&graph.start));
    line(format!("    {start} [shape=oval, label={}];", quoted(&label)));
    for (index, node) in graph.nodes.iter().enumerate() {
        line(format!("    t{number}_n{index} [label={}];", quoted(&node.name)));
    }
    line(format!("    t{number}_end [shape=circle, label=\"end\"];"));
    if lines(graph).iter().any(|(_, _, step, _)| *step == Step::Repeat) {
        line(format!("    t{number}_repeat [shape=circle, label=\"repeat\"];"));
    }
    let target = |step: Step| match step {
        Step::Node(index) => format!("t{number}_n{index}"),
        Step::End => format!("t{number}_end"),
        Step::Repeat => format!("t{number}_repeat"),
    };
    for step in &graph.start.next {
        line(format!("    {start} -> {};", target(*step)));
    }
    for (index, label, step, by_default) in lines(graph) {
        let style = if by_default { ", style=dashed" } else { "" };
        line(format!("    t{number}_n{index} -> {} [label={}{style}];", target(step), quoted(&label)));
    }
    line("  }".to_owned());
}

/// Mermaid reads a label as HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '<' | '>' | '&' | '#' | '|' => {
                let code = u32::from(character);
                // Writing into a String does not fail.
                write!(escaped, "#{code};").unwrap_or_default();
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// The events that start a topology, in words.
fn what_starts(start: &Start) -> String {
    if start.events.is_empty() { "what has changed".to_owned() } else { start.events.join(", ") }
}
