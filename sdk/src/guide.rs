#![doc = include_str!("../docs/writing-a-node.md")]
