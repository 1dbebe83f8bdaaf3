//! The few serialized Java objects that JCEKS stores hold, read strictly.
//!
//! ```text
//! AC ED 00 05 │ 73 object ─▶ 72 class: name, uid 8, flags, fields (type, name [, type name]), 78, super class
//!             │              values of each class, the topmost first
//!             │  74 string   75 array (bytes only)   7E enum   70 null   71 reference to one of those
//! ```
//! Source: Java Object Serialization Specification, version 6, chapter 6. Everything that `keytool` does not
//! write is refused (annotations, proxies, externalizables, block data), so no class of a hostile stream is
//! ever acted upon; depth, number of handles and fields are limited, and every length is compared with what
//! is there. Values are looked up by name, not by class: nothing is instantiated.

use std::rc::Rc;

use crate::error::KeyStoreError;
use crate::reader::Reader;

const DEPTH_MAX: usize = 8;
const HANDLES_MAX: usize = 64;
const FIELDS_MAX: u16 = 16;
const FIRST_HANDLE: u32 = 0x007E_0000;

const TC_NULL: u8 = 0x70;
const TC_REFERENCE: u8 = 0x71;
const TC_CLASSDESC: u8 = 0x72;
const TC_OBJECT: u8 = 0x73;
const TC_STRING: u8 = 0x74;
const TC_ARRAY: u8 = 0x75;
const TC_ENDBLOCKDATA: u8 = 0x78;
const TC_ENUM: u8 = 0x7E;
const SC_WRITE_METHOD: u8 = 0x01;
const SC_SERIALIZABLE: u8 = 0x02;
const SC_ENUM: u8 = 0x10;

/// A value in the stream.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// `null`, or a primitive: nothing here is asked for either.
    Nothing,
    /// A `String`, or the name of an enum constant.
    Text(Rc<str>),
    /// A `byte[]`.
    Bytes(&'a [u8]),
    /// Any object.
    Object(Rc<Object<'a>>),
}

/// An object: its class and its fields, those of super classes included.
#[derive(Debug)]
pub struct Object<'a> {
    /// Its class.
    pub class: Rc<str>,
    fields: Vec<(Rc<str>, Value<'a>)>,
}

impl<'a> Object<'a> {
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.iter().find_map(|(field, value)| match value {
            Value::Text(text) if **field == *name => Some(&**text),
            _ => None,
        })
    }
    pub fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.iter().find_map(|(field, value)| match value {
            Value::Bytes(bytes) if **field == *name => Some(*bytes),
            _ => None,
        })
    }
}

/// Reads one object with the stream header in front; the reader stands behind it afterwards.
pub fn read_object<'a>(reader: &mut Reader<'a>) -> Result<Rc<Object<'a>>, KeyStoreError> {
    if reader.u32()? != 0xACED_0005 {
        return Err(reader.malformed("no Java object where one belongs"));
    }
    match (Stream { reader, handles: Vec::new() }).value(0)? {
        Value::Object(object) => Ok(object),
        _ => Err(reader.malformed("a Java value that is no object")),
    }
}

struct Class {
    name: Rc<str>,
    flags: u8,
    fields: Vec<(u8, Rc<str>)>,
    parent: Option<Rc<Class>>,
}

#[derive(Clone)]
enum Handle<'a> {
    Class(Rc<Class>),
    Value(Value<'a>),
    /// Its fields are being read.
    Unfinished,
}

struct Stream<'r, 'a> {
    reader: &'r mut Reader<'a>,
    handles: Vec<Handle<'a>>,
}

impl<'a> Stream<'_, 'a> {
    fn value(&mut self, depth: usize) -> Result<Value<'a>, KeyStoreError> {
        if depth > DEPTH_MAX {
            return Err(self.reader.malformed("Java objects are nested too deeply"));
        }
        match self.reader.u8()? {
            TC_NULL => Ok(Value::Nothing),
            TC_REFERENCE => match self.referred()? {
                Handle::Value(value) => Ok(value),
                _ => Err(self.reader.malformed("a reference to something unfinished")),
            },
            TC_STRING => {
                let text = Value::Text(self.reader.utf()?.into());
                self.new_handle(Handle::Value(text.clone()))?;
                Ok(text)
            }
            TC_ARRAY => self.array(depth),
            TC_ENUM => {
                let class =
                    self.class(depth)?.ok_or_else(|| self.reader.malformed("an enum without class"))?;
                let at = self.new_handle(Handle::Unfinished)?;
                let constant = self.value(depth + 1)?;
                if class.flags & SC_ENUM == 0 || !matches!(constant, Value::Text(_)) {
                    return Err(self.reader.malformed("an enum constant without a name"));
                }
                self.handles[at] = Handle::Value(constant.clone());
                Ok(constant)
            }
            TC_OBJECT => self.object(depth),
            other => Err(self.reader.malformed(format!("Java object of kind {other:#04x}"))),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value<'a>, KeyStoreError> {
        let class = self.class(depth)?;
        if class.is_none_or(|c| &*c.name != "[B") {
            return Err(self.reader.malformed("a Java array of something else than bytes"));
        }
        let at = self.new_handle(Handle::Unfinished)?;
        let bytes = Value::Bytes(self.reader.block()?);
        self.handles[at] = Handle::Value(bytes.clone());
        Ok(bytes)
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, KeyStoreError> {
        let class = self.class(depth)?.ok_or_else(|| self.reader.malformed("an object without class"))?;
        let at = self.new_handle(Handle::Unfinished)?;
        let mut line = vec![class.clone()];
        while let Some(parent) = line[line.len() - 1].parent.clone() {
            line.push(parent);
        }
        let mut fields = Vec::new();
        for class in line.iter().rev() {
            for (kind, name) in &class.fields {
                fields.push((name.clone(), self.field(*kind, depth)?));
            }
            if class.flags & SC_WRITE_METHOD != 0 {
                self.end_of_annotation()?;
            }
        }
        let object = Value::Object(Rc::new(Object { class: class.name.clone(), fields }));
        self.handles[at] = Handle::Value(object.clone());
        Ok(object)
    }

    fn field(&mut self, kind: u8, depth: usize) -> Result<Value<'a>, KeyStoreError> {
        let primitive_bytes = match kind {
            b'B' | b'Z' => 1,
            b'C' | b'S' => 2,
            b'F' | b'I' => 4,
            b'D' | b'J' => 8,
            b'L' | b'[' => return self.value(depth + 1),
            other => return Err(self.reader.malformed(format!("a field of type {other:#04x}"))),
        };
        self.reader.take(primitive_bytes)?;
        Ok(Value::Nothing)
    }

    fn class(&mut self, depth: usize) -> Result<Option<Rc<Class>>, KeyStoreError> {
        if depth > DEPTH_MAX {
            return Err(self.reader.malformed("Java classes are nested too deeply"));
        }
        match self.reader.u8()? {
            TC_NULL => Ok(None),
            TC_REFERENCE => match self.referred()? {
                Handle::Class(class) => Ok(Some(class)),
                _ => Err(self.reader.malformed("a reference to something that is no class")),
            },
            TC_CLASSDESC => self.new_class(depth).map(Some),
            other => Err(self.reader.malformed(format!("Java class of kind {other:#04x}"))),
        }
    }

    fn new_class(&mut self, depth: usize) -> Result<Rc<Class>, KeyStoreError> {
        let name: Rc<str> = self.reader.utf()?.into();
        self.reader.u64()?;
        let at = self.new_handle(Handle::Unfinished)?;
        let flags = self.reader.u8()?;
        if flags & SC_SERIALIZABLE == 0 || flags & !(SC_SERIALIZABLE | SC_WRITE_METHOD | SC_ENUM) != 0 {
            return Err(self.reader.malformed(format!("class {name} has flags {flags:#04x}")));
        }
        let count = self.reader.u16()?;
        if count > FIELDS_MAX {
            return Err(self.reader.malformed(format!("class {name} has {count} fields")));
        }
        let mut fields = Vec::new();
        for _ in 0..count {
            let kind = self.reader.u8()?;
            let field = self.reader.utf()?.into();
            if matches!(kind, b'L' | b'[') && !matches!(self.value(depth + 1)?, Value::Text(_)) {
                return Err(self.reader.malformed(format!("a field of class {name} has no type")));
            }
            fields.push((kind, field));
        }
        self.end_of_annotation()?;
        let parent = self.class(depth + 1)?;
        let class = Rc::new(Class { name, flags, fields, parent });
        self.handles[at] = Handle::Class(class.clone());
        Ok(class)
    }

    fn end_of_annotation(&mut self) -> Result<(), KeyStoreError> {
        match self.reader.u8()? {
            TC_ENDBLOCKDATA => Ok(()),
            other => Err(self.reader.malformed(format!("a Java annotation ({other:#04x})"))),
        }
    }

    fn referred(&mut self) -> Result<Handle<'a>, KeyStoreError> {
        let index = self.reader.u32()?.checked_sub(FIRST_HANDLE);
        let handle = index.and_then(|i| self.handles.get(i as usize)).cloned();
        handle.ok_or_else(|| self.reader.malformed("a reference to nothing"))
    }

    fn new_handle(&mut self, handle: Handle<'a>) -> Result<usize, KeyStoreError> {
        if self.handles.len() == HANDLES_MAX {
            return Err(self.reader.malformed("too many Java objects"));
        }
        self.handles.push(handle);
        Ok(self.handles.len() - 1)
    }
}
