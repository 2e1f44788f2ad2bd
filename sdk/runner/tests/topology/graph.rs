//! A topology as wired, and as drawn.

use pairline_runner::check::graph;
use pairline_runner::project::{Project, Sources};
use pairline_runner::topology::{GraphFormat, Step};

use crate::kinds;

fn shipped() -> Project {
    let project = Project::load(&Sources::built_in(), &kinds::registry());
    let findings: Vec<String> = project.findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    project
}

#[test]
fn every_name_is_resolved_and_every_default_applied() {
    let project = shipped();
    let crm_to_erp = &project.topologies[0];
    let resolve = crm_to_erp.node("resolve").expect("it is in the shipped topology");
    let index = |name: &str| Step::Node(crm_to_erp.nodes.iter().position(|node| node.name == name).expect("a node"));

    let next = |route: &str| resolve.next.route(route).map(<[Step]>::to_vec);
    assert_eq!(next("found"), Some(vec![index("update")]));
    assert_eq!(next("missing"), Some(vec![index("create")]));
    assert_eq!(next("inactive"), Some(vec![Step::End]));
    assert_eq!(next("pending"), Some(vec![Step::Repeat]));
    assert_eq!(next("nowhere"), None);
    assert_eq!(crm_to_erp.start.next, [index("echo-filter")]);
    assert_eq!(crm_to_erp.start.application.as_str(), "crm");
}

#[test]
fn one_follower_is_for_the_route_that_has_no_default() {
    let project = shipped();
    let create = project.topologies[0].node("create").expect("it is in the shipped topology");

    let created = create.next.routes.iter().find(|route| route.name == "created").expect("a route");
    let mapped = create.next.routes.iter().find(|route| route.name == "mapped").expect("a route");

    assert!(matches!(created.steps.as_slice(), [Step::Node(_)]) && !created.by_default);
    assert!(mapped.steps == [Step::Repeat] && mapped.by_default);
}

#[test]
fn a_topology_is_drawn_as_text() {
    let drawn = graph(&shipped(), Some("crm-to-erp"), GraphFormat::Text).expect("it is there");

    let expected = "\
crm-to-erp (sync contract contact)
  A contact saved in the CRM reaches the ERP once, however often it is announced.
  start              crm: contact.creation, contact.propertyChange, contact.deletion -> echo-filter
  echo-filter        own -> end, foreign -> fetch
  fetch              present -> resolve, gone -> deactivate
  resolve            found -> update, missing -> create, (inactive -> end), (pending -> repeat), (conflict -> end)
  update             (done -> end), gone -> deactivate
  create             created -> persist, (mapped -> repeat)
  persist            persisted -> inverse-id-writer, (conflict -> end)
  inverse-id-writer  (done -> end), gone -> deactivate
  deactivate         -> end

";
    assert_eq!(drawn, expected);
}

#[test]
fn a_drawing_names_every_node_and_dashes_the_defaults() {
    let project = shipped();
    let mermaid = graph(&project, None, GraphFormat::Mermaid).expect("there are topologies");
    let dot = graph(&project, None, GraphFormat::Dot).expect("there are topologies");

    for drawn in [&mermaid, &dot] {
        assert_eq!(drawn.matches("inverse-id-writer").count(), 2, "{drawn}");
    }
    assert!(mermaid.contains("t0_n2 -.->|pending| t0_n2_repeat((\"repeat\"))"), "{mermaid}");
    assert!(dot.contains("t0_n2 -> t0_repeat [label=\"pending\", style=dashed];"), "{dot}");
}

#[test]
fn an_unknown_topology_gets_the_known_ones() {
    let error = graph(&shipped(), Some("crm-to-epr"), GraphFormat::Text).unwrap_err();

    assert_eq!(error, "no topology `crm-to-epr`; known topologies: crm-to-erp, erp-to-crm");
}
