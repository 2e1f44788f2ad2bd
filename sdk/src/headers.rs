//! Header names of a message, as the platform spells them.

/// Names one process from the event that started it to its last node.
pub const CORRELATION_ID: &str = "correlation-id";
/// Names one branch of a process.
pub const PROCESS_ID: &str = "process-id";
/// The process this one was forked from.
pub const PARENT_ID: &str = "parent-id";
/// The topology that carries the message.
pub const TOPOLOGY_NAME: &str = "topology-name";
/// The use of a node that is at work.
pub const NODE_NAME: &str = "node-name";
/// The account the message belongs to.
pub const USER: &str = "user";
/// The [`ResultCode`](crate::ResultCode) of the last node, as text.
pub const RESULT_CODE: &str = "result-code";
/// One line about the last node's result.
pub const RESULT_MESSAGE: &str = "result-message";
/// The follower a node has chosen.
pub const FORCE_TARGET_QUEUE: &str = "force-target-queue";
/// Seconds until the next try.
pub const REPEAT_INTERVAL: &str = "repeat-interval";
/// How many tries there are at most.
pub const REPEAT_MAX_HOPS: &str = "repeat-max-hops";
/// How many tries have been made.
pub const REPEAT_HOPS: &str = "repeat-hops";
/// Which limits apply to the message.
pub const LIMITER_KEY: &str = "limiter-key";
/// Where a batch continues.
pub const CURSOR: &str = "cursor";

/// All of them: what the program and the platform say of a message, and no part of what it is about.
pub const ALL: [&str; 14] = [
    CORRELATION_ID,
    PROCESS_ID,
    PARENT_ID,
    TOPOLOGY_NAME,
    NODE_NAME,
    USER,
    RESULT_CODE,
    RESULT_MESSAGE,
    FORCE_TARGET_QUEUE,
    REPEAT_INTERVAL,
    REPEAT_MAX_HOPS,
    REPEAT_HOPS,
    LIMITER_KEY,
    CURSOR,
];
