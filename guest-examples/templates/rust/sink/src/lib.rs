//! {{name}}: writes each body to the agent's log, as an example.

use flumen_plugin_sdk::sink::*;

struct Plugin {
    max: usize,
}

impl Sink for Plugin {
    /// Reads the `config.*` settings. One that is not read here is refused.
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        Ok(Self { max: options.or("maxBytes", 1000)? })
    }

    /// What `deliver` reads: the less, the quicker.
    fn needs(&self) -> Needs {
        Needs::body()
    }

    /// Answers when the events are as safe as the sink promises: only then do they leave the channel.
    fn deliver(&mut self, batch: &Batch) -> Result<Delivery> {
        let mut delivery = Delivery::complete();
        for event in batch.events() {
            if event.body().len() > self.max {
                delivery.reject(event, "the body is too long for a line of the log");
                continue;
            }
            info!("{}", String::from_utf8_lossy(event.body()));
        }
        Ok(delivery)
    }
}

export!(Plugin);

#[cfg(test)]
mod tests {
    use flumen_plugin_sdk::testing::{Event, batch, delivered, options, with_host};

    use super::*;

    #[test]
    fn bodies_come_to_the_log_and_long_ones_are_rejected() {
        let mut plugin = Plugin::configure(&options(&[("maxBytes", "5")])).ok().expect("valid options");
        let batch = batch(&[Event::new("short"), Event::new("too long")], &plugin.needs());
        let delivery = plugin.deliver(&batch).expect("delivered");
        assert_eq!(delivered(delivery, 2), (vec![], vec![1]));
        assert_eq!(with_host(|host| host.log[0].message.clone()), "short");
    }
}
