//! The codes of findings. A code keeps its meaning for ever; texts may change.

/// A text is not YAML.
pub const NOT_YAML: &str = "PL0101";
/// A text is larger, deeper or more repetitive than a configuration may be.
pub const TOO_LARGE: &str = "PL0102";
/// A key is there twice.
pub const DUPLICATE_KEY: &str = "PL0103";
/// A key nothing reads.
pub const UNKNOWN_KEY: &str = "PL0104";
/// A key that must be there is not.
pub const MISSING_KEY: &str = "PL0105";
/// A value is of another kind than the key takes.
pub const WRONG_VALUE: &str = "PL0106";
/// A name is taken already.
pub const DUPLICATE_NAME: &str = "PL0107";

/// `uses` names no node kind.
pub const UNKNOWN_KIND: &str = "PL0201";
/// A node does not have such a setting.
pub const UNKNOWN_SETTING: &str = "PL0202";
/// `next` names no node of the topology.
pub const UNKNOWN_FOLLOWER: &str = "PL0203";
/// A setting that must be given is not.
pub const MISSING_SETTING: &str = "PL0204";
/// A setting's value is of another kind.
pub const WRONG_SETTING: &str = "PL0205";
/// No description of such an application.
pub const UNKNOWN_APPLICATION: &str = "PL0206";
/// The sync contract has no such field.
pub const UNKNOWN_FIELD: &str = "PL0207";
/// A route that has no default leads nowhere.
pub const UNWIRED_ROUTE: &str = "PL0208";
/// A node does not answer with such a route.
pub const UNKNOWN_ROUTE: &str = "PL0209";
/// A message would come back to a node it has passed.
pub const LOOP: &str = "PL0210";
/// No message gets to a node.
pub const UNREACHABLE: &str = "PL0211";
/// A create is not followed by a persist.
pub const CREATE_WITHOUT_PERSIST: &str = "PL0212";
/// A topology names a sync contract there is not.
pub const UNKNOWN_CONTRACT: &str = "PL0213";
/// Two topologies start at the same event.
pub const SAME_START: &str = "PL0214";
/// One follower for several routes.
pub const AMBIGUOUS_NEXT: &str = "PL0215";
/// The sync contract is not about an application.
pub const NOT_IN_CONTRACT: &str = "PL0216";
/// A node has a name that means something else in `next`.
pub const RESERVED_NAME: &str = "PL0217";
/// An application's webhooks know no such event.
pub const UNKNOWN_EVENT: &str = "PL0218";
/// A node is to work on the side of the pair that it is not for.
pub const WRONG_SIDE: &str = "PL0219";
/// The sync contract keeps the other's id in another field, or in none.
pub const NOT_THE_INVERSE: &str = "PL0220";
/// `uses` names a component that cannot be used.
pub const UNUSABLE_COMPONENT: &str = "PL0221";
/// A component asks for something that is not granted.
pub const NOT_GRANTED: &str = "PL0222";
/// Something is granted that nobody asks for, or that cannot be granted.
pub const WRONG_GRANT: &str = "PL0223";
/// A component cannot run within its limits, or a native node has some.
pub const WRONG_LIMIT: &str = "PL0224";

/// A sync contract contradicts itself.
pub const CONTRACT: &str = "PL0301";
/// A field of a sync contract is never read from a system.
pub const LEFT_OUT: &str = "PL0302";
/// A system cannot be asked for the records that hold the other's id.
pub const NOT_FOUND_BY: &str = "PL0303";
/// A system cannot be asked what has changed.
pub const NOT_LISTED: &str = "PL0304";

/// A test of a topology cannot be understood.
pub const TEST: &str = "PL0501";

/// There is no topology.
pub const NOTHING_TO_DO: &str = "PL0601";
