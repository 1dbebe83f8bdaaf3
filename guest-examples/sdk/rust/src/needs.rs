//! What a plugin reads of each event. The rest never crosses into its memory.

use crate::bindings::flumen::plugin::columns as wire;

/// What a plugin reads of each event.
///
/// Ask for little: bodies that are not needed cost nothing. Reading what was not asked for is a mistake of the
/// plugin and ends the call with a panic that says so; setting needs no asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub(crate) body: bool,
    pub(crate) headers: Headers,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Headers {
    Only(Vec<String>),
    All,
}
impl Default for Headers {
    fn default() -> Self {
        Self::Only(Vec::new())
    }
}

impl Needs {
    /// Bodies and all headers.
    pub fn everything() -> Self {
        Self { body: true, headers: Headers::All }
    }
    /// Nothing: only the number of events.
    pub fn nothing() -> Self {
        Self::default()
    }
    /// The bodies.
    pub fn body() -> Self {
        Self::nothing().and_body()
    }
    /// One header.
    pub fn header(name: &str) -> Self {
        Self::nothing().and_header(name)
    }
    /// All headers.
    pub fn all_headers() -> Self {
        Self { body: false, headers: Headers::All }
    }
    /// The bodies as well.
    #[must_use]
    pub fn and_body(self) -> Self {
        Self { body: true, ..self }
    }
    /// This header as well.
    #[must_use]
    pub fn and_header(mut self, name: &str) -> Self {
        if let Headers::Only(names) = &mut self.headers
            && !names.iter().any(|other| other == name)
        {
            names.push(name.to_owned());
        }
        self
    }

    /// Whether a header of this name would be in the batch if an event had it.
    pub(crate) fn has_header(&self, name: &str) -> bool {
        match &self.headers {
            Headers::All => true,
            Headers::Only(names) => names.iter().any(|other| other == name),
        }
    }
    pub(crate) fn to_wire(&self) -> wire::Needs {
        let headers = match &self.headers {
            Headers::All => wire::HeaderNeed::All,
            Headers::Only(names) if names.is_empty() => wire::HeaderNeed::Nothing,
            Headers::Only(names) => wire::HeaderNeed::Only(names.clone()),
        };
        wire::Needs { body: self.body, headers }
    }
}
