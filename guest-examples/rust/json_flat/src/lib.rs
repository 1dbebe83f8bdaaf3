//! `json_flat`: the values of a JSON body as headers, nested ones as `outer.inner` and `list.0`.
//!
//! Texts are set as they are, numbers and booleans as JSON writes them; `null` and empty lists set nothing. A body that is
//! not one JSON object is rejected.
//!
//! | option | default | |
//! |---|---|---|
//! | `prefix` | empty | Stands before each header's name. |
//! | `removeBody` | `false` | Whether the body is emptied. |

use flumen_plugin_sdk::interceptor::*;
use serde_json::Value;

/// The plugin.
#[derive(Debug)]
pub struct JsonFlat {
    prefix: String,
    remove_body: bool,
}

impl Interceptor for JsonFlat {
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        let prefix = options.get("prefix").unwrap_or_default().to_owned();
        Ok(Self { prefix, remove_body: options.or("removeBody", false)? })
    }

    fn needs(&self) -> Needs {
        Needs::body()
    }

    fn intercept(&mut self, mut batch: Batch) -> Result<Batch> {
        let mut name = self.prefix.clone();
        let mut events = batch.events_mut();
        while let Some(mut event) = events.next() {
            match serde_json::from_slice(event.body()) {
                Ok(object @ Value::Object(_)) => set(&mut event, &mut name, &object),
                Ok(_) => {
                    event.reject("the body is JSON, but not an object");
                    continue;
                }
                Err(error) => {
                    event.reject(format!("the body is not JSON: {error}"));
                    continue;
                }
            }
            if self.remove_body {
                event.set_body(b"");
            }
        }
        Ok(batch)
    }
}

/// Sets the header `name`, or those below it. JSON is nested 128 times at most: the parser sees to it.
fn set(event: &mut EventMut<'_>, name: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::String(text) => event.set_header(name, text),
        Value::Bool(_) | Value::Number(_) => event.set_header_fmt(name, format_args!("{value}")),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| below(event, name, &i.to_string(), item))
        }
        Value::Object(members) => members.iter().for_each(|(key, item)| below(event, name, key, item)),
    }
}

fn below(event: &mut EventMut<'_>, name: &mut String, key: &str, value: &Value) {
    let outer = name.len();
    if outer > 0 && !name.ends_with('.') {
        name.push('.');
    }
    name.push_str(key);
    set(event, name, value);
    name.truncate(outer);
}

export!(JsonFlat);
