//! `log`: lines of a component in the program's log, bounded and without the secrets it was given.

use crate::bindings::pairline::node::log::Host;
use crate::failure::one_line;
use crate::instances::Call;

/// Lines of one message that are kept.
const MOST_LINES: u32 = 100;
/// A line is not longer than this, in bytes.
const LONGEST_LINE: usize = 4096;

impl Host for Call {
    fn write(&mut self, level: u8, mut text: String) {
        self.work.lines = self.work.lines.saturating_add(1);
        // Secrets come out before the line is cut, or a part of one would be left; what is far too long holds none of interest.
        text.truncate(text.floor_char_boundary(16 * LONGEST_LINE));
        let mut text = one_line(self.granted.without_secrets(text));
        text.truncate(text.floor_char_boundary(LONGEST_LINE));
        let component = self.granted.name();
        if self.work.lines <= MOST_LINES {
            match level {
                0 | 1 => tracing::error!(component, "{text}"),
                2 => tracing::warn!(component, "{text}"),
                3 => tracing::info!(component, "{text}"),
                4 => tracing::debug!(component, "{text}"),
                _ => tracing::trace!(component, "{text}"),
            }
        }
        if level <= 1 {
            self.work.last_words = Some(text);
        }
    }
}
