//! {{name}}: replaces every digit of a body, as an example.

use flumen_plugin_sdk::interceptor::*;

struct Plugin {
    with: char,
}

impl Interceptor for Plugin {
    /// Reads the `config.*` settings. One that is not read here is refused.
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        let with = options.or("char", '#')?;
        if !with.is_ascii() {
            return Err(ConfigError::at("char", "must be an ASCII character"));
        }
        Ok(Self { with })
    }

    /// What `intercept` reads: the less, the quicker.
    fn needs(&self) -> Needs {
        Needs::body()
    }

    fn intercept(&mut self, mut batch: Batch) -> Result<Batch> {
        let mut events = batch.events_mut();
        while let Some(mut event) = events.next() {
            bytes::replace_digits(event.body_mut(), self.with as u8);
        }
        Ok(batch)
    }
}

export!(Plugin);

#[cfg(test)]
mod tests {
    use flumen_plugin_sdk::testing::{Event, Tested};

    use super::*;

    #[test]
    fn digits_are_replaced() {
        let plugin = Tested::<Plugin>::configured(&[("char", "*")]).expect("valid options");
        let out = plugin.intercept(&[Event::new("card 4111"), Event::new("none")]).expect("accepted");
        assert_eq!(out.events, [Event::new("card ****"), Event::new("none")]);
    }

    #[test]
    fn a_wrong_option_is_named() {
        let error = Tested::<Plugin>::configured(&[("char", "ab")]).err().expect("refused");
        assert_eq!(error.key.as_deref(), Some("char"));
    }
}
