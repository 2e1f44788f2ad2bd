//! What the node knows about phone numbers.

/// With the country, as the numbering plan E.164 has it.
const LEAST_DIGITS: usize = 8;
const MOST_DIGITS: usize = 15;

/// A number as everybody dials it: `+420111222333`. None if the text is not one, or has no country of its own while `country`,
/// its calling code without a plus, is empty.
pub fn normalized(text: &str, country: &str) -> Option<String> {
    // What is there for the eye alone. The last is a space that does not break, as word processors write it.
    let decoration = [' ', '\t', '-', '.', '/', '(', ')', '\u{a0}'];
    let bare = |text: &str| text.replace(decoration, "");
    let begin = text.trim_start_matches(decoration);
    let international = begin.strip_prefix('+').or_else(|| begin.strip_prefix("00"));
    let digits = match international {
        // The zero in brackets is dialled at home alone.
        Some(rest) => bare(&rest.replace("(0)", "")),
        None if country.is_empty() => return None,
        None => {
            let home = bare(begin);
            format!("{country}{}", home.strip_prefix('0').unwrap_or(&home))
        }
    };
    let sound = digits.bytes().all(|digit| digit.is_ascii_digit())
        && !digits.starts_with('0')
        && (LEAST_DIGITS..=MOST_DIGITS).contains(&digits.len());
    sound.then(|| format!("+{digits}"))
}

#[cfg(test)]
mod tests {
    use super::normalized;

    #[test]
    fn numbers_are_read_as_everybody_dials_them() {
        for (text, country, number) in [
            ("+420 111 222 333", "", "+420111222333"),
            ("00420 111-222-333", "", "+420111222333"),
            ("(0420) 111.222", "49", "+49420111222"),
            ("111 222 333", "420", "+420111222333"),
            ("+44 (0)20 7946 0958", "420", "+442079460958"),
            ("+420\u{a0}111222333", "", "+420111222333"),
        ] {
            assert_eq!(normalized(text, country).as_deref(), Some(number), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for (text, country) in [
            ("111 222 333", ""),
            ("", "420"),
            ("+", "420"),
            ("+420 111", ""),
            ("+0420111222333", ""),
            ("+4201112223334445556667", ""),
            ("+420 111 222 333 ext. 5", ""),
            ("111 222 333", "CZ"),
            ("call me", "420"),
        ] {
            assert_eq!(normalized(text, country), None, "{text}");
        }
    }
}
