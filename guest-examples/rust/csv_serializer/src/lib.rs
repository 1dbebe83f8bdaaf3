//! `csv_serializer`: one line of values for each event, quoted as RFC 4180 says.
//!
//! | option | default | |
//! |---|---|---|
//! | `columns` | | The names of headers, in the order of the columns; `@body` is the body. |
//! | `separator` | `,` | One ASCII character. |
//! | `header` | `true` | Whether a file begins with the names. |

use flumen_plugin_sdk::serializer::*;

const BODY: &str = "@body";

/// The plugin.
#[derive(Debug)]
pub struct Csv {
    columns: Vec<String>,
    separator: u8,
    header: bool,
    special: bytes::Class,
}

impl Serializer for Csv {
    type File = ();

    fn configure(options: &Options) -> Result<Self, ConfigError> {
        let columns: Vec<String> = options.list("columns")?;
        if columns.is_empty() {
            return Err(ConfigError::at("columns", "names no column"));
        }
        let separator = match options.get("separator").unwrap_or(",").as_bytes() {
            [one] if one.is_ascii() && !b"\"\r\n".contains(one) => *one,
            _ => return Err(ConfigError::at("separator", "is not one ASCII character that can separate")),
        };
        let special = bytes::Class::bytes(&[separator, b'"', b'\r', b'\n']);
        Ok(Self { columns, separator, header: options.or("header", true)?, special })
    }

    fn needs(&self) -> Needs {
        self.columns.iter().fold(Needs::nothing(), |needs, name| match name.as_str() {
            BODY => needs.and_body(),
            name => needs.and_header(name),
        })
    }

    fn format(&self) -> Format {
        Format { suffix: ".csv".to_owned(), content_type: "text/csv".to_owned() }
    }

    fn begin(&mut self, (): &mut (), out: &mut Vec<u8>) -> Result<()> {
        if self.header {
            self.line(self.columns.iter().map(|name| name.trim_start_matches('@').as_bytes()), out);
        }
        Ok(())
    }

    fn write(&mut self, (): &mut (), batch: &Batch, out: &mut Vec<u8>) -> Result<()> {
        for event in batch.events() {
            let value = |name: &String| match name.as_str() {
                BODY => event.body(),
                name => event.header(name).unwrap_or_default().as_bytes(),
            };
            self.line(self.columns.iter().map(value), out);
        }
        Ok(())
    }
}

impl Csv {
    fn line<'a>(&self, values: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
        for (place, value) in values.enumerate() {
            if place > 0 {
                out.push(self.separator);
            }
            if !self.special.is_in(value) {
                out.extend_from_slice(value);
                continue;
            }
            out.push(b'"');
            for part in value.split_inclusive(|byte| *byte == b'"') {
                out.extend_from_slice(part);
                // A quote stands twice.
                out.extend(part.last().filter(|last| **last == b'"'));
            }
            out.push(b'"');
        }
        out.extend_from_slice(b"\r\n");
    }
}

export!(Csv);
