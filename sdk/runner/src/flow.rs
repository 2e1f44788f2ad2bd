//! A topology with its nodes made: what a message walks through.

use std::collections::BTreeMap;
use std::sync::Arc;

use pairline_sdk::{NodeError, ProcessAction, ProcessDto, ResultCode, System, headers};

/// A topology with its nodes made.
#[derive(Clone)]
pub struct Flow {
    /// The topology's name.
    pub name: String,
    /// Its nodes, in the order of the file.
    pub nodes: Vec<FlowNode>,
    /// Where a message enters.
    pub start: Vec<Target>,
}

/// One use of a node.
#[derive(Clone)]
pub struct FlowNode {
    /// The name of this use.
    pub name: String,
    /// The node.
    pub node: Arc<dyn ProcessAction>,
    /// Where messages go that name a route.
    pub routes: BTreeMap<String, Vec<Target>>,
    /// Where messages go that name none.
    pub followers: Vec<Target>,
}

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// To this node.
    Node(usize),
    /// Nowhere: it has reached its end.
    End,
    /// Back to its lane: its record is looked at again later.
    Repeat,
}

/// How a walk ended.
#[derive(Debug)]
pub struct Walk {
    /// The uses of nodes it came through, in order.
    pub path: Vec<String>,
    /// How it ended.
    pub end: WalkEnd,
}

/// How a walk ended.
#[derive(Debug)]
pub enum WalkEnd {
    /// Every branch reached its end. The last message of each, in order.
    Done(Vec<ProcessDto>),
    /// A node could not finish.
    Failed {
        /// The use of the node.
        node: String,
        /// What happens next.
        error: NodeError,
    },
}

/// A watcher of nodes and hints, for metrics.
pub trait WalkObserver: Send + Sync {
    /// A node has answered.
    fn answered(&self, topology: &str, node: &str, result: ResultCode);

    /// A hint has come to its end, this long after its first event.
    fn finished(&self, system: &System, end: HintEnd, lag: std::time::Duration);

    /// A hint will be looked at again.
    fn repeated(&self, node: &str, counted: bool);
}

/// How a hint came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintEnd {
    /// Its record is as it should be.
    Done,
    /// It was our own write coming back.
    Echo,
}

impl Flow {
    /// Whether the walk of a message is over with its first node already, which may run at the door.
    ///
    /// If not, nothing has happened: the message walks from the start once it is its turn.
    pub async fn ends_at_the_door(&self, dto: ProcessDto, observer: Option<&dyn WalkObserver>) -> bool {
        let [Target::Node(first)] = self.start[..] else { return false };
        let at = &self.nodes[first];
        if !at.node.describe().at_the_door {
            return false;
        }
        let dto = dto.with_header(headers::NODE_NAME, at.name.as_str());
        let Ok(dto) = at.node.process_action(dto).await else { return false };
        let ends = dto.result() == ResultCode::DoNotContinue
            || dto
                .route()
                .and_then(|route| at.routes.get(route))
                .is_some_and(|targets| targets.iter().all(|target| *target == Target::End));
        if ends && let Some(observer) = observer {
            observer.answered(&self.name, &at.name, dto.result());
        }
        ends
    }

    /// Walks a message from the start to the end of every branch. Branches run one after another, in the order of the
    /// file; the first that cannot finish ends the walk, which is safe because every node may run twice.
    pub async fn walk(&self, dto: ProcessDto, observer: Option<&dyn WalkObserver>) -> Walk {
        let mut path = Vec::new();
        let mut ended = Vec::new();
        // Newest branch first, so that one branch is finished before the next begins.
        let mut waiting: Vec<(Target, ProcessDto)> =
            self.start.iter().rev().map(|target| (*target, dto.clone())).collect();
        while let Some((target, dto)) = waiting.pop() {
            let index = match target {
                Target::Node(index) => index,
                Target::End => {
                    ended.push(dto);
                    continue;
                }
                Target::Repeat => {
                    let node = path.last().cloned().unwrap_or_default();
                    return Walk { path, end: WalkEnd::Failed { node, error: unfinished() } };
                }
            };
            let at = &self.nodes[index];
            path.push(at.name.clone());
            let dto = dto.fresh().with_header(headers::NODE_NAME, at.name.as_str());
            let answer = at.node.process_action(dto).await;
            let result = answer.as_ref().map_or_else(result_of, ProcessDto::result);
            if let Some(observer) = observer {
                observer.answered(&self.name, &at.name, result);
            }
            let dto = match answer {
                Ok(dto) => dto,
                Err(error) => return Walk { path, end: WalkEnd::Failed { node: at.name.clone(), error } },
            };
            if dto.result() == ResultCode::DoNotContinue {
                ended.push(dto);
                continue;
            }
            let targets = match dto.route() {
                None => &at.followers,
                Some(route) => match at.routes.get(route) {
                    Some(targets) => targets,
                    None => {
                        let error = NodeError::stop(format!(
                            "`{}` took the route `{route}`, which it does not declare",
                            at.name
                        ));
                        return Walk { path, end: WalkEnd::Failed { node: at.name.clone(), error } };
                    }
                },
            };
            // The usual case is one follower, which gets the message itself.
            match targets.as_slice() {
                [] => ended.push(dto),
                [first, others @ ..] => {
                    waiting.extend(others.iter().rev().map(|target| (*target, dto.clone())));
                    waiting.push((*first, dto));
                }
            }
        }
        Walk { path, end: WalkEnd::Done(ended) }
    }
}

/// A route that leads back to the lane: something that passes by itself is in the way.
fn unfinished() -> NodeError {
    NodeError::wait("the record is in other hands", std::time::Duration::from_millis(300))
}

fn result_of(error: &NodeError) -> ResultCode {
    match error {
        NodeError::Repeat { .. } => ResultCode::Repeat,
        NodeError::StopAndFail { .. } => ResultCode::StopAndFailed,
    }
}
