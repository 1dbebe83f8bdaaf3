//! {{name}}: makes an event of each line, as an example.

use flumen_plugin_sdk::deserializer::*;

struct Plugin {
    skip: Option<String>,
}

impl Deserializer for Plugin {
    /// What belongs to one stream: nothing.
    type Stream = ();

    /// Reads the `config.*` settings. One that is not read here is refused.
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        Ok(Self { skip: options.optional("skip")? })
    }

    fn open(&mut self, _name: &str, _position: u64) {}

    /// Takes whole lines from the front of `input`, and answers how many bytes they had.
    fn decode(&mut self, _stream: &mut (), input: Input<'_>, events: &mut Events) -> Result<usize> {
        let mut lines = bytes::lines(input.bytes);
        while !events.is_full() {
            // The last line of a stream may have no line feed.
            let line = lines.next_whole().or_else(|| if input.last { lines.next() } else { None });
            let Some(line) = line else { break };
            if self.skip.as_ref().is_none_or(|mark| !line.starts_with(mark.as_bytes())) {
                events.push(line);
            }
        }
        Ok(input.bytes.len() - lines.rest().len())
    }
}

export!(Plugin);

#[cfg(test)]
mod tests {
    use flumen_plugin_sdk::testing::decode;

    use super::*;

    #[test]
    fn lines_become_events_however_the_stream_is_cut() {
        let stream: &[u8] = b"one\n# a comment\ntwo\nthree";
        for piece in 1..stream.len() {
            let out = decode::<Plugin>(&[("skip", "#")], stream.chunks(piece), 0, 2).expect("decoded");
            let bodies: Vec<&[u8]> = out.events.iter().map(|event| event.body.as_slice()).collect();
            assert_eq!(bodies, [b"one".as_slice(), b"two", b"three"]);
        }
    }
}
