//! A message's walk through a five-node topology without any I/O: what the runner itself costs, and what the shipped
//! nodes cost over the in-memory ports.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use pairline_runner::flow::{Flow, FlowNode, Target, WalkEnd};
use pairline_sdk::testing::{NodeTester, run_now};
use pairline_sdk::{NodeDescription, NodeError, PlatformKind, ProcessAction, ProcessDto};
use serde_json::json;

/// Reads one field and adds another.
struct Touch(NodeDescription);

#[async_trait]
impl ProcessAction for Touch {
    fn describe(&self) -> &NodeDescription {
        &self.0
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let seen: Option<std::sync::Arc<u64>> = dto.get("seen")?;
        Ok(dto.with("seen", seen.map_or(0, |seen| *seen) + 1))
    }
}

fn five_nodes() -> Flow {
    let node = |position: usize| FlowNode {
        name: format!("touch-{position}"),
        node: Arc::new(Touch(NodeDescription::new("touch", "Touches.", PlatformKind::Custom)))
            as Arc<dyn ProcessAction>,
        routes: BTreeMap::new(),
        followers: vec![if position == 4 { Target::End } else { Target::Node(position + 1) }],
    };
    Flow { name: "five".to_owned(), nodes: (0..5).map(node).collect(), start: vec![Target::Node(0)] }
}

fn message() -> ProcessDto {
    ProcessDto::new(json!({
        "hint": { "record": { "system": "crm", "id": "101" } },
        "record": { "id": "101", "fields": { "email": "ada@example.org", "firstname": "Ada", "lastname": "Lovelace", "phone": "+420 777 123 456" } },
    }))
}

fn walk(criterion: &mut Criterion) {
    let flow = five_nodes();
    criterion.bench_function("walk five nodes without I/O", |bencher| {
        bencher.iter(|| match run_now(flow.walk(black_box(message()), None)).end {
            WalkEnd::Done(ended) => ended.len(),
            WalkEnd::Failed { .. } => 0,
        });
    });
    criterion.bench_function("make the message alone", |bencher| bencher.iter(|| black_box(message())));
    let tester = NodeTester::new(pairline_nodes::register).with_pair(
        "crm-1",
        "erp-1",
        json!({ "email": "a", "phone": "1" }),
        json!({ "email": "a", "phone": "1" }),
    );
    criterion.bench_function("compare an unchanged pair", |bencher| {
        bencher.iter(|| tester.run("update", json!({ "application": "erp" }), tester.seen("crm", "crm-1")).is_ok());
    });
}

criterion_group!(benches, walk);
criterion_main!(benches);
