//! `mask_digits`: the interceptor that every language has. What it does is in `guest-examples/README.md`.

use flumen_plugin_sdk::interceptor::*;

/// The plugin.
#[derive(Debug)]
pub struct MaskDigits {
    with: u8,
    header: Option<String>,
    drop: Option<bytes::Finder>,
}

impl Interceptor for MaskDigits {
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        let not_empty = |text: &str| if text.is_empty() { Err("is empty") } else { Ok(text.to_owned()) };
        let with = match options.get("char").unwrap_or("#").as_bytes() {
            [one] if one.is_ascii() => *one,
            _ => return Err(ConfigError::at("char", "is not exactly one ASCII character")),
        };
        let header = options.optional_with("header", not_empty)?;
        let drop = options.optional_with("drop", not_empty)?.map(bytes::Finder::new);
        Ok(Self { with, header, drop })
    }

    fn needs(&self) -> Needs {
        match &self.header {
            Some(name) => Needs::body().and_header(name),
            None => Needs::body(),
        }
    }

    fn intercept(&mut self, mut batch: Batch) -> Result<Batch> {
        let mut events = batch.events_mut();
        while let Some(mut event) = events.next() {
            if self.drop.as_ref().is_some_and(|text| text.is_in(event.body())) {
                event.filter_out();
                continue;
            }
            let mut masked = bytes::replace_digits(event.body_mut(), self.with);
            if let Some(name) = &self.header
                && let Some(value) = event.header(name)
            {
                let digits = value.bytes().filter(u8::is_ascii_digit).count();
                if digits > 0 {
                    let value = value
                        .replace(|c: char| c.is_ascii_digit(), char::from(self.with).encode_utf8(&mut [0]));
                    event.set_header(name, &value);
                }
                masked += digits;
            }
            event.set_number("masked", masked as u64);
        }
        Ok(batch)
    }
}

export!(MaskDigits);
