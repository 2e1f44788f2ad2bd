//! How a node's work ended, with the numbers the platform uses on the wire.

use serde::{Deserialize, Serialize};

/// How a node's work on a message ended.
///
/// The numbers are those of the platform's worker protocol, so that a node runs unchanged behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub enum ResultCode {
    /// 0: the message goes to every follower.
    #[default]
    Success,
    /// 1001: the message is tried again later.
    Repeat,
    /// 1002: the message goes to one named follower only.
    ForwardToTargetQueue,
    /// 1003: the message has reached its end; nothing went wrong.
    DoNotContinue,
    /// 1004: a limit is used up; the message waits and consumes no hop.
    LimitExceeded,
    /// 1006: the message cannot be delivered and moves to the trash.
    StopAndFailed,
    /// 1010: a batch goes on with its cursor, items go to followers.
    BatchCursorWithFollowers,
    /// 1011: a batch goes on with its cursor, nothing goes to followers.
    BatchCursorOnly,
    /// 2001: anything else that went wrong.
    UnknownError,
    /// 2002: the headers are not usable.
    InvalidHeaders,
    /// 2003: the body is not usable.
    InvalidContent,
}

impl ResultCode {
    /// The number on the wire.
    pub const fn number(self) -> u16 {
        match self {
            Self::Success => 0,
            Self::Repeat => 1001,
            Self::ForwardToTargetQueue => 1002,
            Self::DoNotContinue => 1003,
            Self::LimitExceeded => 1004,
            Self::StopAndFailed => 1006,
            Self::BatchCursorWithFollowers => 1010,
            Self::BatchCursorOnly => 1011,
            Self::UnknownError => 2001,
            Self::InvalidHeaders => 2002,
            Self::InvalidContent => 2003,
        }
    }

    /// Every code there is.
    pub const ALL: [Self; 11] = [
        Self::Success,
        Self::Repeat,
        Self::ForwardToTargetQueue,
        Self::DoNotContinue,
        Self::LimitExceeded,
        Self::StopAndFailed,
        Self::BatchCursorWithFollowers,
        Self::BatchCursorOnly,
        Self::UnknownError,
        Self::InvalidHeaders,
        Self::InvalidContent,
    ];
}

impl From<ResultCode> for u16 {
    fn from(code: ResultCode) -> Self {
        code.number()
    }
}

impl TryFrom<u16> for ResultCode {
    type Error = String;

    fn try_from(number: u16) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|code| code.number() == number)
            .ok_or_else(|| format!("expected a result code of the platform, found {number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_the_wire() {
        for code in ResultCode::ALL {
            assert_eq!(ResultCode::try_from(code.number()), Ok(code));
        }
        assert!(ResultCode::try_from(1005).is_err());
    }
}
