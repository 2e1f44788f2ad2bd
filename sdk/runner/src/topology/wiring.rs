//! What a node's `next` means, given the routes its kind has.

use pairline_sdk::{NodeDescription, RouteDefault};

use super::document::{Followers, NextDocument};

/// One way from a node to what comes next.
#[derive(Clone, Debug)]
pub(super) struct Edge<'a> {
    /// The route it is taken for; none for a node without routes.
    pub(super) route: Option<&'a str>,
    pub(super) to: Target<'a>,
    /// Where it is written, below the node: `next`, the route, the position in a list. Empty for a default.
    pub(super) path: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// As written: the name of a node, or `end`.
    Written(&'a str),
    Default(RouteDefault),
}

/// What is wrong with a `next`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Miswired<'a> {
    /// There is none, and the node has neither routes nor defaults to go by.
    Missing,
    /// A route that must be wired is not.
    Unwired(&'a str),
    /// The node has no such route.
    UnknownRoute(&'a str),
    /// One follower, and several routes it could be for.
    Ambiguous(Vec<&'a str>),
}

/// The ways from a node. Without a description they are taken as written.
pub(super) fn edges<'a>(
    next: Option<&'a NextDocument>,
    description: Option<&'a NodeDescription>,
) -> (Vec<Edge<'a>>, Vec<Miswired<'a>>) {
    let mut edges = Vec::new();
    let mut wrong = Vec::new();
    let routes = description.map(|description| description.routes.as_slice()).unwrap_or_default();
    match next {
        None if description.is_none() => {}
        None if routes.is_empty() => wrong.push(Miswired::Missing),
        None => {}
        Some(NextDocument::All(followers)) if routes.is_empty() => follow(&mut edges, None, followers, &["next"]),
        Some(NextDocument::All(followers)) => {
            let open: Vec<&str> =
                routes.iter().filter(|route| route.default.is_none()).map(|route| route.name.as_str()).collect();
            match (open.as_slice(), routes) {
                ([one], _) => follow(&mut edges, Some(one), followers, &["next"]),
                ([], [one]) => follow(&mut edges, Some(&one.name), followers, &["next"]),
                _ => {
                    wrong.push(Miswired::Ambiguous(routes.iter().map(|route| route.name.as_str()).collect()));
                    // Taken for all of them, so that what follows is not unreachable on top.
                    follow(&mut edges, None, followers, &["next"]);
                    return (edges, wrong);
                }
            }
        }
        Some(NextDocument::Routes(written)) => {
            for (name, followers) in written.iter() {
                if description.is_some() && !routes.iter().any(|route| route.name == name) {
                    wrong.push(Miswired::UnknownRoute(name));
                }
                follow(&mut edges, Some(name), followers, &["next", name]);
            }
        }
    }
    for route in routes {
        if edges.iter().any(|edge| edge.route == Some(&route.name)) {
            continue;
        }
        match route.default {
            None => wrong.push(Miswired::Unwired(&route.name)),
            Some(default) => {
                edges.push(Edge { route: Some(&route.name), to: Target::Default(default), path: Vec::new() });
            }
        }
    }
    (edges, wrong)
}

fn follow<'a>(edges: &mut Vec<Edge<'a>>, route: Option<&'a str>, followers: &'a Followers, path: &[&str]) {
    for (name, step) in followers.named() {
        let path = path.iter().map(|step| (*step).to_owned()).chain(step).collect();
        edges.push(Edge { route, to: Target::Written(name), path });
    }
}
