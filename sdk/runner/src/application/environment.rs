//! What the machine tells the program: variables in the values of an application description.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::kept_token::KeptToken;

/// Where variables are looked up.
#[derive(Clone, Default)]
pub struct Environment {
    variables: Option<BTreeMap<String, String>>,
    lenient: bool,
    tokens: Option<PathBuf>,
}

/// Most variables that matter are secrets: their names alone.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.variables.as_ref().map(|variables| variables.keys().collect::<Vec<_>>());
        let mut shown = f.debug_struct("Environment");
        shown.field("variables", &names).field("lenient", &self.lenient).field("tokens", &self.tokens).finish()
    }
}

impl Environment {
    /// The variables of this process. `NAME_FILE` names a file that holds the value, as secrets are often handed over.
    pub fn of_process() -> Self {
        Self::default()
    }

    /// These variables and no others.
    pub fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        Self::of_map(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    /// The same, from a map.
    pub fn of_map(variables: BTreeMap<String, String>) -> Self {
        Self { variables: Some(variables), ..Self::default() }
    }

    /// No variables, and none is missed: for checking texts on a machine that is not the one they will run on.
    pub fn lenient() -> Self {
        Self { variables: Some(BTreeMap::new()), lenient: true, tokens: None }
    }

    /// With a folder for the tokens that take the place of those in the variables. Without one such a token is known as long
    /// as the program runs, and the next start is refused.
    #[must_use]
    pub fn keeping_tokens_in(self, folder: impl Into<PathBuf>) -> Self {
        Self { tokens: Some(folder.into()), ..self }
    }

    /// Where the token is kept that takes the place of this one.
    pub(crate) fn kept_token(&self, application: &str, given: &str) -> Option<KeptToken> {
        self.tokens.as_deref().map(|folder| KeptToken::new(folder, application, given))
    }

    /// Whether a name stands in for what is missing, so that a value of the wrong form says nothing.
    pub(crate) fn is_lenient(&self) -> bool {
        self.lenient
    }

    /// Replaces `${NAME}` and `${NAME:-default}`. An empty variable is as good as none where something stands in for it.
    ///
    /// # Errors
    ///
    /// One line that names the variable that is missing.
    pub fn expand(&self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let Some((inner, behind)) = after.split_once('}') else {
                return Err("expected a `}` for the `${`".to_owned());
            };
            let (name, default) = match inner.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inner, None),
            };
            let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            if name.is_empty() || !name.chars().all(plain) {
                return Err(format!("expected the name of a variable in `${{...}}`, found `{name}`"));
            }
            match (self.look_up(name)?, default) {
                (Found::Value { value, .. }, _) => out.push_str(&value),
                (_, Some(default)) => out.push_str(default),
                (_, None) if self.lenient => out.push_str(name),
                (Found::Empty { place }, None) => return Err(format!("{place} is empty")),
                (Found::Nothing, None) => return Err(format!("the environment variable {name} is not set")),
            }
            rest = behind;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// The variables whose values stand in what a text becomes, as whoever has set them calls them: for blaming them when
    /// it means nothing. What is wrong with a variable itself is told by [`expand`](Self::expand).
    pub fn sources(&self, text: &str) -> Vec<String> {
        let names = text.split("${").skip(1).filter_map(|rest| rest.split(['}', ':']).next());
        let set = names.filter_map(|name| match self.look_up(name) {
            Ok(Found::Value { variable, .. }) => Some(variable),
            _ => None,
        });
        set.collect()
    }

    fn look_up(&self, name: &str) -> Result<Found, String> {
        let given = match &self.variables {
            Some(variables) => variables.get(name).cloned(),
            None => std::env::var_os(name)
                .map(|value| value.into_string().map_err(|_| format!("the environment variable {name} is not UTF-8")))
                .transpose()?,
        };
        let place = format!("the environment variable {name}");
        match given {
            Some(value) if !value.is_empty() => Ok(Found::Value { value, variable: name.to_owned() }),
            // Some supervisors know no other way to say that there is none.
            Some(_) => Ok(self.file(name)?.unwrap_or(Found::Empty { place })),
            None => Ok(self.file(name)?.unwrap_or(Found::Nothing)),
        }
    }

    /// What is in the file that `NAME_FILE` names, if it names one.
    fn file(&self, name: &str) -> Result<Option<Found>, String> {
        let variable = format!("{name}_FILE");
        let file = std::env::var_os(&variable).filter(|file| self.variables.is_none() && !file.is_empty());
        let Some(file) = file else { return Ok(None) };
        let place = format!("the file `{}` that {variable} names", file.display());
        let text = std::fs::read_to_string(&file).map_err(|error| {
            // Somebody may have put the secret itself there.
            let place =
                if is_path(Path::new(&file)) { place.clone() } else { format!("the file that {variable} names") };
            format!("cannot read {place}: {error}")
        })?;
        let value = text.trim_end_matches(['\r', '\n']).to_owned();
        Ok(Some(if value.is_empty() { Found::Empty { place } } else { Found::Value { value, variable } }))
    }
}

/// Whether it looks like a path by itself, wherever one stands.
fn is_path(path: &Path) -> bool {
    path.is_absolute() || path.starts_with(".") || path.starts_with("..")
}

/// What is found of a variable.
enum Found {
    /// It has a value.
    Value {
        /// The value.
        value: String,
        /// The variable that was set for it: `NAME` or `NAME_FILE`.
        variable: String,
    },
    /// Somebody has set it to nothing.
    Empty {
        /// What is empty.
        place: String,
    },
    /// It is not there.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_and_defaults_stand_in() {
        let environment = Environment::of([("HOST", "there"), ("EMPTY", "")]);

        assert_eq!(environment.expand("http://${HOST}:${PORT:-80}/${EMPTY:-}x").unwrap(), "http://there:80/x");
        assert_eq!(environment.expand("{id} costs 5$").unwrap(), "{id} costs 5$");
    }

    #[test]
    fn a_variable_that_is_missing_or_empty_is_named() {
        let environment = Environment::of([("TOKEN", "")]);

        assert_eq!(environment.expand("${TOKEN}").unwrap_err(), "the environment variable TOKEN is empty");
        assert_eq!(environment.expand("${TOKENS}").unwrap_err(), "the environment variable TOKENS is not set");
        assert!(environment.expand("${TOKEN").is_err());
        assert!(environment.expand("${to ken}").is_err());
        assert_eq!(Environment::lenient().expand("${TOKEN}").unwrap(), "TOKEN");
    }

    #[test]
    fn whose_values_a_text_holds_is_known() {
        let environment = Environment::of([("HOST", "there"), ("EMPTY", "")]);

        assert_eq!(environment.sources("http://${HOST}:${PORT:-80}/${EMPTY:-}"), ["HOST"]);
        assert!(environment.sources("http://there").is_empty());
    }

    #[test]
    fn a_variable_is_shown_by_its_name_alone() {
        let shown = format!("{:?}", Environment::of([("TOKEN", "canary")]));

        assert!(shown.contains("TOKEN") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn what_does_not_look_like_a_path_may_be_the_secret_itself() {
        for (path, shown) in [
            ("/run/secrets/token", true),
            ("./token", true),
            ("../token", true),
            ("canary-token", false),
            ("ey.J/x", false),
        ] {
            assert_eq!(is_path(Path::new(path)), shown, "{path}");
        }
    }

    #[test]
    fn a_variable_of_the_process_is_found() {
        assert!(!Environment::of_process().expand("${PATH}").unwrap().is_empty());
        assert!(Environment::of_process().expand("${PAIRLINE_THERE_IS_NO_SUCH_VARIABLE}").is_err());
    }
}
