//! A list of events: `[{"headers": {"name": "value"}, "body": "text"}]`, read as Flume's classes read it.

use std::ops::Range;

use bytes::Bytes;
use flumen_event::{Batch, Span};

use super::columns::Columns;
use super::form::{Form, Part, Role};
use super::scan::{Fault, Scanner, Value};

/// The events of a text, which must be UTF-8. Bodies are text; how they become bytes of another charset is the
/// caller's business.
///
/// # Errors
/// If it is no list of events.
pub fn read(text: &Bytes) -> Result<Batch, Fault> {
    let mut list = List {
        scanner: Scanner::new(text),
        columns: Columns::default(),
        form: Form::default(),
        bodies: Vec::new(),
        has_null: false,
    };
    list.read()?;
    Ok(list.columns.into_batch(list.scanner.into_arena(text), list.bodies))
}

struct List<'a> {
    scanner: Scanner<'a>,
    columns: Columns,
    /// Of the event that was read last.
    form: Form,
    bodies: Vec<Span>,
    /// Flume finds out after it has read everything.
    has_null: bool,
}

impl List<'_> {
    fn read(&mut self) -> Result<(), Fault> {
        match self.scanner.document()? {
            None => return Err(Fault::Unusable("there is no JSON in it")),
            Some(Value::Array) => {
                let mut is_first = true;
                while let Some(element) = self.scanner.element(is_first)? {
                    is_first = false;
                    match element {
                        Value::Null => self.has_null = true,
                        Value::Object => {
                            if !self.one_more()? {
                                self.event()?;
                            }
                        }
                        Value::Text(_) | Value::Array => return self.scanner.fault("an event is an object"),
                    }
                }
            }
            Some(Value::Null) => self.has_null = true,
            Some(_) => return self.scanner.fault("a list of events is expected"),
        }
        self.scanner.end()?;
        if self.has_null { Err(Fault::Unusable("an event is null")) } else { Ok(()) }
    }

    /// Reads an event that is written like the last one. False, and nothing is read, if it is not.
    fn one_more(&mut self) -> Result<bool, Fault> {
        if !self.form.is_known() {
            return Ok(false);
        }
        self.columns.next_event();
        let (start, row) = (self.scanner.at(), self.row());
        let mut body = 0..0;
        for Part { fixed, role } in &self.form.parts {
            if !self.scanner.same(fixed) {
                self.scanner.back_to(start);
                self.columns.forget_event();
                return Ok(false);
            }
            let text = self.scanner.quoted(b'"')?;
            match *role {
                Role::Body => body = text,
                Role::Header(column) => self.columns.push_at(column, row, text),
            }
        }
        if !self.scanner.same(&self.form.end) {
            self.scanner.back_to(start);
            self.columns.forget_event();
            return Ok(false);
        }
        self.bodies.push(Span::new(body));
        Ok(true)
    }

    fn event(&mut self) -> Result<(), Fault> {
        self.columns.next_event();
        self.form.begin(&self.scanner);
        let (mut body, mut has_headers) = (None, false);
        let mut is_first = true;
        while let Some(name) = self.scanner.name(is_first)? {
            is_first = false;
            let value = self.scanner.value()?;
            match self.scanner.bytes(&name) {
                b"body" => {
                    self.form.note(&self.scanner, &value, Role::Body);
                    body = self.scanner.text_of(value)?;
                }
                b"headers" => {
                    if has_headers {
                        self.form.give_up();
                    }
                    has_headers = true;
                    self.columns.forget_event();
                    self.headers(value)?;
                }
                _ => self.scanner.skip(value)?,
            }
        }
        self.form.finish(&self.scanner);
        self.bodies.push(Span::new(body.unwrap_or(0..0)));
        Ok(())
    }

    fn headers(&mut self, value: Value) -> Result<(), Fault> {
        match value {
            Value::Null => Ok(()),
            Value::Object => {
                let mut is_first = true;
                while let Some(name) = self.scanner.name(is_first)? {
                    is_first = false;
                    self.header(&name)?;
                }
                Ok(())
            }
            Value::Array => {
                self.form.give_up();
                let mut is_first = true;
                while let Some(pair) = self.scanner.element(is_first)? {
                    is_first = false;
                    self.pair(pair)?;
                }
                Ok(())
            }
            Value::Text(_) => self.scanner.fault("headers are an object"),
        }
    }
    fn header(&mut self, name: &Range<usize>) -> Result<(), Fault> {
        let value = self.scanner.value()?;
        let text = self.scanner.text_of(value.clone())?;
        let column = self.push(name, text)?;
        self.form.note(&self.scanner, &value, Role::Header(column));
        Ok(())
    }
    /// `["name", "value"]`, a form of maps that Gson reads as well.
    fn pair(&mut self, pair: Value) -> Result<(), Fault> {
        if pair != Value::Array {
            return self.scanner.fault("a pair of name and value is expected");
        }
        let mut part = |is_first| match self.scanner.element(is_first)? {
            Some(value) => self.scanner.text_of(value),
            None => self.scanner.fault("a pair has two parts"),
        };
        let (name, value) = (part(true)?, part(false)?);
        let Some(name) = name else { return Err(Fault::Unusable("the name of a header is null")) };
        self.push(&name, value)?;
        match self.scanner.element(false)? {
            None => Ok(()),
            Some(_) => self.scanner.fault("a pair has two parts"),
        }
    }
    /// Adds a header and answers its column.
    fn push(&mut self, name: &Range<usize>, value: Option<Range<usize>>) -> Result<usize, Fault> {
        match self.columns.push(self.row(), self.scanner.bytes(name), value)? {
            Some(column) => Ok(column),
            None => self.scanner.fault("a header occurs twice in one event"),
        }
    }
    /// The number of the event that is being read.
    fn row(&self) -> u32 {
        // Bodies ascend one by one in a text below 1 GiB, so 32 bits hold their number.
        self.bodies.len() as u32
    }
}
