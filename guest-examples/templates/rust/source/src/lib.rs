//! {{name}}: counts, as an example. The checkpoint is the next number, so none is lost or comes twice.

use std::time::Duration;

use flumen_plugin_sdk::source::*;

struct Plugin {
    next: u64,
    end: u64,
}

impl Source for Plugin {
    /// Reads the `config.*` settings. One that is not read here is refused.
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        Ok(Self { next: 0, end: options.or("end", u64::MAX)? })
    }

    fn start(&mut self, checkpoint: Option<&[u8]>) -> Result<()> {
        let bytes = checkpoint.unwrap_or(&[0; 8]).try_into();
        self.next = u64::from_le_bytes(bytes.map_err(|_| Error::fatal("not a checkpoint of this plugin"))?);
        Ok(())
    }

    fn next_batch(&mut self, _wait: Duration, events: &mut Events) -> Result<Next> {
        while self.next < self.end && !events.is_full() {
            events.push(self.next.to_string().as_bytes()).header("kind", "number");
            self.next += 1;
        }
        Ok(if events.is_empty() { Next::Done } else { Next::Batch(self.next.to_le_bytes().to_vec()) })
    }

    fn rolled_back(&mut self, checkpoint: Option<&[u8]>) -> Result<()> {
        self.start(checkpoint)
    }
}

export!(Plugin);

#[cfg(test)]
mod tests {
    use flumen_plugin_sdk::testing::{Event, events, made, options};

    use super::*;

    #[test]
    fn numbers_go_on_behind_the_checkpoint() {
        let mut plugin = Plugin::configure(&options(&[("end", "3")])).ok().expect("valid options");
        plugin.start(Some(&2_u64.to_le_bytes())).expect("started");
        let mut batch = events();
        let next = plugin.next_batch(Duration::ZERO, &mut batch).expect("counted");
        assert_eq!(next, Next::Batch(3_u64.to_le_bytes().to_vec()));
        assert_eq!(made(batch), [Event::new("2").with("kind", "number")]);
        assert_eq!(plugin.next_batch(Duration::ZERO, &mut events()), Ok(Next::Done));
    }
}
