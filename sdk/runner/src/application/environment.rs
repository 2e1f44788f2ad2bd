//! What the machine tells the program: variables in the values of an application description.

use std::collections::BTreeMap;

/// Where variables are looked up.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: Option<BTreeMap<String, String>>,
    lenient: bool,
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
        Self { variables: Some(variables), lenient: false }
    }

    /// No variables, and none is missed: for checking texts on a machine that is not the one they will run on.
    pub fn lenient() -> Self {
        Self { variables: Some(BTreeMap::new()), lenient: true }
    }

    /// Replaces `${NAME}` and `${NAME:-default}`. An empty variable counts as one that is not there.
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
            match self.look_up(name)?.filter(|value| !value.is_empty()) {
                Some(value) => out.push_str(&value),
                None => match default {
                    Some(default) => out.push_str(default),
                    None if self.lenient => out.push_str(name),
                    None => return Err(format!("the environment variable {name} is not set")),
                },
            }
            rest = behind;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn look_up(&self, name: &str) -> Result<Option<String>, String> {
        if let Some(variables) = &self.variables {
            return Ok(variables.get(name).cloned());
        }
        if let Some(value) = std::env::var_os(name) {
            let text = value.into_string();
            return text.map(Some).map_err(|_| format!("the environment variable {name} is not UTF-8"));
        }
        let file_variable = format!("{name}_FILE");
        let Some(file) = std::env::var_os(&file_variable) else { return Ok(None) };
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned())),
            Err(error) => Err(format!("cannot read the file that {file_variable} names: {error}")),
        }
    }
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
    fn a_missing_variable_is_named_and_an_empty_secret_is_a_missing_one() {
        let environment = Environment::of([("TOKEN", "")]);

        assert_eq!(environment.expand("${TOKEN}").unwrap_err(), "the environment variable TOKEN is not set");
        assert!(environment.expand("${TOKEN").is_err());
        assert!(environment.expand("${to ken}").is_err());
        assert_eq!(Environment::lenient().expand("${TOKEN}").unwrap(), "TOKEN");
    }

    #[test]
    fn a_variable_of_the_process_is_found() {
        assert!(!Environment::of_process().expand("${PATH}").unwrap().is_empty());
        assert!(Environment::of_process().expand("${PAIRLINE_THERE_IS_NO_SUCH_VARIABLE}").is_err());
    }
}
