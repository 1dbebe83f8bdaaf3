//! Schemas of a peer's protocol: only what is needed to find events in it and to pass over the rest.

use std::collections::HashMap;

use serde_json::Value;

use super::reader::{Malformed, Reader};

/// Types inside of types, in what is passed over. Deeper ones are hostile: a record that contains itself has no end.
const DEPTH_MAX: usize = 64;

/// A schema among the others of its protocol.
pub type SchemaId = usize;

/// One schema; those inside of it are named by their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schema {
    /// No bytes.
    Null,
    /// One byte.
    Boolean,
    /// `int`, `long` and enums: one number.
    Number,
    /// So many bytes: `float`, `double`, `fixed`.
    Fixed(usize),
    /// `bytes` and `string`, which are the same on the wire, and each can be read as the other.
    Bytes,
    /// Blocks of items.
    Array(SchemaId),
    /// Blocks of texts and items.
    Map(SchemaId),
    /// A number that chooses.
    Union(Vec<SchemaId>),
    /// Fields in a row.
    Record(Vec<(String, SchemaId)>),
}

/// All schemas of a protocol.
#[derive(Clone, Debug, Default)]
pub struct Schemas {
    all: Vec<Schema>,
    named: HashMap<String, SchemaId>,
    /// Symbols of the enums, by the enum's name without its namespace.
    pub symbols: HashMap<String, Vec<String>>,
}

impl Schemas {
    /// The schema of a place.
    #[must_use]
    pub fn get(&self, id: SchemaId) -> Option<&Schema> {
        self.all.get(id)
    }

    fn add(&mut self, schema: Schema) -> SchemaId {
        self.all.push(schema);
        self.all.len() - 1
    }

    /// Reads a schema. Names are taken without their namespaces: a protocol that has two types of one name in
    /// different namespaces is not one for us.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read(&mut self, json: &Value) -> Result<SchemaId, Malformed> {
        match json {
            Value::String(name) => self.named_type(name),
            Value::Array(branches) => {
                let branches = branches.iter().map(|branch| self.read(branch));
                let branches = branches.collect::<Result<_, _>>()?;
                Ok(self.add(Schema::Union(branches)))
            }
            Value::Object(fields) => match fields.get("type") {
                Some(Value::String(kind)) => self.declared(kind, json),
                Some(inner) => self.read(inner),
                None => Err(Malformed::Protocol("a schema has no type".to_owned())),
            },
            _ => Err(Malformed::Protocol(format!("`{json}` is no schema"))),
        }
    }

    fn named_type(&mut self, name: &str) -> Result<SchemaId, Malformed> {
        let schema = match name {
            "null" => Schema::Null,
            "boolean" => Schema::Boolean,
            "int" | "long" => Schema::Number,
            "float" => Schema::Fixed(4),
            "double" => Schema::Fixed(8),
            "bytes" | "string" => Schema::Bytes,
            _ => {
                let known = self.named.get(short(name)).copied();
                return known.ok_or_else(|| Malformed::Protocol(format!("type `{name}` is not declared")));
            }
        };
        Ok(self.add(schema))
    }

    fn declared(&mut self, kind: &str, json: &Value) -> Result<SchemaId, Malformed> {
        let part = |key: &str| {
            json.get(key).ok_or_else(|| Malformed::Protocol(format!("a schema of type {kind} has no {key}")))
        };
        match kind {
            "array" => {
                let items = self.read(part("items")?)?;
                Ok(self.add(Schema::Array(items)))
            }
            "map" => {
                let values = self.read(part("values")?)?;
                Ok(self.add(Schema::Map(values)))
            }
            "enum" => {
                let symbols = part("symbols")?.as_array().map(Vec::as_slice).unwrap_or_default();
                let symbols = symbols.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                let id = self.add(Schema::Number);
                if let Some(name) = part("name")?.as_str() {
                    self.symbols.insert(short(name).to_owned(), symbols);
                    self.named.insert(short(name).to_owned(), id);
                }
                Ok(id)
            }
            "fixed" => {
                let size = part("size")?.as_u64().and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or_else(|| Malformed::Protocol("a fixed has no size".to_owned()))?;
                let id = self.add(Schema::Fixed(size));
                self.name(part("name")?, id);
                Ok(id)
            }
            "record" | "error" => {
                // Its place comes first: its fields may name it.
                let id = self.add(Schema::Record(Vec::new()));
                self.name(part("name")?, id);
                let mut fields = Vec::new();
                for field in part("fields")?.as_array().map(Vec::as_slice).unwrap_or_default() {
                    let (Some(name), Some(schema)) =
                        (field.get("name").and_then(Value::as_str), field.get("type"))
                    else {
                        return Err(Malformed::Protocol("a field has no name or type".to_owned()));
                    };
                    fields.push((name.to_owned(), self.read(schema)?));
                }
                self.all[id] = Schema::Record(fields);
                Ok(id)
            }
            name => self.named_type(name),
        }
    }

    fn name(&mut self, name: &Value, id: SchemaId) {
        if let Some(name) = name.as_str() {
            self.named.insert(short(name).to_owned(), id);
        }
    }

    /// Passes over a value.
    ///
    /// # Errors
    /// If it is none of that schema.
    pub fn skip(&self, id: SchemaId, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        self.skip_at(id, reader, 0)
    }

    fn skip_at(&self, id: SchemaId, reader: &mut Reader<'_>, depth: usize) -> Result<(), Malformed> {
        if depth > DEPTH_MAX {
            return Err(Malformed::Protocol("a value has too many values inside of each other".to_owned()));
        }
        match self.get(id) {
            None | Some(Schema::Null) => Ok(()),
            Some(Schema::Boolean) => reader.boolean().map(drop),
            Some(Schema::Number) => reader.long().map(drop),
            Some(Schema::Fixed(size)) => reader.fixed(*size, "a value").map(drop),
            Some(Schema::Bytes) => reader.span("a value").map(drop),
            Some(Schema::Record(fields)) => {
                fields.iter().try_for_each(|(_, field)| self.skip_at(*field, reader, depth + 1))
            }
            Some(Schema::Union(branches)) => {
                let at = reader.position();
                let branch = usize::try_from(reader.long()?).ok().and_then(|branch| branches.get(branch));
                let branch = branch.ok_or(Malformed::Impossible("the branch of a union", at))?;
                self.skip_at(*branch, reader, depth + 1)
            }
            Some(Schema::Array(items)) => self.skip_blocks(*items, false, reader, depth),
            Some(Schema::Map(values)) => self.skip_blocks(*values, true, reader, depth),
        }
    }

    fn skip_blocks(
        &self,
        id: SchemaId,
        is_map: bool,
        reader: &mut Reader<'_>,
        depth: usize,
    ) -> Result<(), Malformed> {
        loop {
            let items = reader.block("a list")?;
            if items == 0 {
                return Ok(());
            }
            for _ in 0..items {
                let before = reader.position();
                if is_map {
                    reader.span("a key")?;
                }
                self.skip_at(id, reader, depth + 1)?;
                if reader.position() == before {
                    // Items without bytes (null) can be claimed in any number.
                    break;
                }
            }
        }
    }
}

/// A name without its namespace.
pub(super) fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(schema: &str, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut schemas = Schemas::default();
        let id = schemas.read(&serde_json::from_str(schema).expect("JSON"))?;
        let mut reader = Reader::new(bytes);
        schemas.skip(id, &mut reader)?;
        Ok(reader.position())
    }

    #[test]
    fn every_kind_of_value_is_passed_over() {
        for (schema, bytes, length) in [
            (r#""null""#, &b""[..], 0),
            (r#""boolean""#, b"\x01", 1),
            (r#""long""#, b"\x80\x01", 2),
            (r#""double""#, b"12345678", 8),
            (r#"{"type":"string"}"#, b"\x04ab", 3),
            (r#"{"type":"fixed","name":"F","size":3}"#, b"abc", 3),
            (r#"{"type":"enum","name":"E","symbols":["A"]}"#, b"\x00", 1),
            (r#"["null","string"]"#, b"\x02\x02a", 3),
            (r#"{"type":"array","items":"int"}"#, b"\x04\x02\x04\x00", 4),
            (r#"{"type":"map","values":"int"}"#, b"\x01\x06\x02k\x02\x00", 6),
            (
                r#"{"type":"record","name":"a.b.R","fields":[{"name":"x","type":["null","R"]}]}"#,
                b"\x02\x02\x00",
                3,
            ),
            (r#"{"type":"array","items":"null"}"#, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", 11),
        ] {
            assert_eq!(skipped(schema, bytes), Ok(length), "{schema}");
        }
    }

    #[test]
    fn schemas_without_end_and_unknown_types_are_refused() {
        let endless = r#"{"type":"record","name":"R","fields":[{"name":"x","type":"R"}]}"#;
        assert!(matches!(skipped(endless, b""), Err(Malformed::Protocol(_))));
        assert!(matches!(skipped(r#""Unheard""#, b""), Err(Malformed::Protocol(_))));
        assert!(matches!(skipped("7", b""), Err(Malformed::Protocol(_))));
    }
}
