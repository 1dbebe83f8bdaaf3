//! `form_handler`: an HTML form as an event: its fields are headers, and one of them the body.
//!
//! | option | default | |
//! |---|---|---|
//! | `bodyField` | `body` | The field that is the body; a form without it makes an event with an empty one. |
//! | `fields` | all | The fields to take; a form with any other is refused. |

use flumen_plugin_sdk::http_handler::*;

/// The plugin.
#[derive(Debug)]
pub struct FormHandler {
    body_field: String,
    fields: Vec<String>,
}

impl HttpHandler for FormHandler {
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        Ok(Self { body_field: options.or("bodyField", "body".to_owned())?, fields: options.list("fields")? })
    }

    fn handle(&mut self, request: &Request, events: &mut Events) -> Result<(), Refusal> {
        if request.content_type().as_deref() != Some("application/x-www-form-urlencoded") {
            return Err(Refusal::new(415, "send application/x-www-form-urlencoded"));
        }
        let (mut body, mut headers) = (Vec::new(), Vec::new());
        for pair in request.body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = text(&decoded(halves.next().unwrap_or_default())?)?;
            let value = decoded(halves.next().unwrap_or_default())?;
            if name == self.body_field {
                body = value;
            } else if self.fields.is_empty() || self.fields.contains(&name) {
                headers.push((name, text(&value)?));
            } else {
                return Err(Refusal::bad_request(format_args!("there is no field `{name}`")));
            }
        }
        let event = events.push(&body);
        headers.iter().fold(event, |event, (name, value)| event.header(name, value));
        Ok(())
    }
}

/// Percent signs and plus signs undone.
fn decoded(part: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::with_capacity(part.len());
    let mut rest = part.iter();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|hex| char::from(*hex).to_digit(16));
                let (high, low) = (digit(), digit());
                let byte = high.zip(low).map(|(high, low)| (high * 16 + low) as u8);
                byte.ok_or_else(|| Refusal::bad_request("a percent sign without two hexadecimal digits"))?
            }
            other => *other,
        });
    }
    Ok(out)
}

fn text(bytes: &[u8]) -> Result<String, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|_| Refusal::bad_request("a field is not UTF-8"))?;
    Ok(text.to_owned())
}

export!(FormHandler);
