//! Tokens: the words of a value, as a search looks at them.
//!
//! A value is searched as a whole, by what stands between its spaces, and by its words of letters and digits: an e-mail
//! address is found by itself, by `*@example.org` and by `example`. Capitals make no difference.

/// Whether some token is as the pattern says; `*` stands for any text.
pub(crate) fn contains(text: &str, pattern: &str) -> bool {
    let pattern = pattern.to_lowercase();
    tokens(&text.to_lowercase()).any(|token| fits(token, &pattern))
}

/// Whether each word begins some token of some text.
pub(crate) fn hold_all<'a>(texts: impl Iterator<Item = &'a str>, words: &str) -> bool {
    let texts: Vec<String> = texts.map(str::to_lowercase).collect();
    let words = words.to_lowercase();
    let begins = |word| texts.iter().any(|text| tokens(text).any(|token| token.starts_with(word)));
    words.split_whitespace().all(begins)
}

fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(text).chain(text.split_whitespace()).chain(words)
}

fn fits(token: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return token == pattern;
    };
    let Some(mut left) = token.strip_prefix(first) else {
        return false;
    };
    let (between, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in between.split('*') {
        // Whatever stands furthest in front leaves the most for those that follow.
        let Some(at) = left.find(part) else {
            return false;
        };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_token_with_any_text_where_its_stars_are() {
        for (pattern, holds) in [
            ("ada", true),
            ("Ada.Lovelace@example.org", true),
            ("*@example.org", true),
            ("lovel*", true),
            ("*vel*", true),
            ("a*l*@*.org", true),
            ("*", true),
            ("lovel", false),
            ("*@example.com", false),
            ("a*z*org", false),
            ("orgorg*", false),
            ("org*org", false),
        ] {
            assert_eq!(contains("ada.lovelace@EXAMPLE.org", pattern), holds, "{pattern}");
        }
        assert!(contains("Augusta Ada King", "ada"));
        assert!(!contains("", "ada"));
    }

    #[test]
    fn every_word_begins_a_token_of_one_of_the_texts() {
        let texts = || ["Ada", "Lovelace", "ada@example.org"].into_iter();

        for (words, hold) in [
            ("ada", true),
            ("LOVE ada", true),
            ("ada@example.org", true),
            ("exam", true),
            ("ada hopper", false),
            ("velace", false),
            ("", true),
        ] {
            assert_eq!(hold_all(texts(), words), hold, "{words}");
        }
    }
}
