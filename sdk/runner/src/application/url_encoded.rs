//! A body as a form of the web (`application/x-www-form-urlencoded`): what is nested has its names in brackets, as in `metadata[crm_id]=7`.

use reqwest::Url;
use serde_json::Value;

/// Writes a body so. What has no value is sent empty.
pub(super) fn url_encoded(body: &Value) -> String {
    let mut pairs = Vec::new();
    flatten(&mut pairs, String::new(), body);
    let mut url = Url::parse("form:").expect("a scheme and nothing else is a URL");
    url.query_pairs_mut().extend_pairs(&pairs);
    url.query().unwrap_or_default().to_owned()
}

fn flatten(pairs: &mut Vec<(String, String)>, name: String, value: &Value) {
    let within = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}[{part}]") };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| flatten(pairs, within(key), value)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| flatten(pairs, within(&index.to_string()), item));
        }
        Value::Null => pairs.push((name, String::new())),
        Value::String(text) => pairs.push((name, text.clone())),
        other => pairs.push((name, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_nested_has_its_names_in_brackets() {
        let body =
            json!({ "name": "Ada & Co", "metadata": { "crm_id": "7" }, "tags": ["a"], "phone": null, "limit": 1.5 });

        let form = url_encoded(&body);

        assert_eq!(form, "name=Ada+%26+Co&metadata%5Bcrm_id%5D=7&tags%5B0%5D=a&phone=&limit=1.5");
        assert_eq!(url_encoded(&json!({})), "");
    }
}
