//! {{name}}: writes each body as a line behind the value of a header, as an example.

use flumen_plugin_sdk::serializer::*;

struct Plugin {
    header: String,
}

impl Serializer for Plugin {
    /// What belongs to one open file: nothing.
    type File = ();

    /// Reads the `config.*` settings. One that is not read here is refused.
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        Ok(Self { header: options.or("header", "host".to_owned())? })
    }

    /// What `write` reads: the less, the quicker.
    fn needs(&self) -> Needs {
        Needs::body().and_header(&self.header)
    }

    fn format(&self) -> Format {
        Format { suffix: ".txt".to_owned(), content_type: "text/plain".to_owned() }
    }

    fn write(&mut self, _file: &mut (), batch: &Batch, out: &mut Vec<u8>) -> Result<()> {
        for event in batch.events() {
            out.extend_from_slice(event.header(&self.header).unwrap_or("-").as_bytes());
            out.push(b' ');
            out.extend_from_slice(event.body());
            out.push(b'\n');
        }
        Ok(())
    }
}

export!(Plugin);

#[cfg(test)]
mod tests {
    use flumen_plugin_sdk::testing::{Event, batch, options};

    use super::*;

    #[test]
    fn a_line_has_the_header_and_the_body() {
        let mut plugin = Plugin::configure(&options(&[])).expect("valid options");
        let input = [Event::new("one").with("host", "web1"), Event::new("two")];
        let mut out = Vec::new();
        plugin.write(&mut (), &batch(&input, &plugin.needs()), &mut out).expect("written");
        assert_eq!(out, b"web1 one\n- two\n");
    }
}
