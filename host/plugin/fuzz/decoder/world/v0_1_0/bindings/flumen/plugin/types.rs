//! The interface `types`.

/// To a guest.
#[derive(Clone, Debug)]
pub struct EventParam<'a> {
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

#[derive(Clone, Debug)]
pub struct PackedParam<'a> {
    pub data: &'a [u8],
    pub spans: &'a [u32],
}

#[derive(Clone, Copy, Debug)]
pub struct PackedTextParam<'a> {
    pub data: &'a str,
    pub spans: &'a [u32],
}

#[derive(Clone, Debug)]
pub enum RowsParam<'a> {
    All,
    Only(&'a [u32]),
}

#[derive(Clone, Debug)]
pub enum ValuesParam<'a> {
    Same(&'a str),
    Each(PackedTextParam<'a>),
}

#[derive(Clone, Debug)]
pub struct ColumnParam<'a> {
    pub name: &'a str,
    pub rows: RowsParam<'a>,
    pub values: ValuesParam<'a>,
}

/// From a guest.
#[derive(Clone, Debug)]
pub struct EventResult {
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct PackedResult {
    pub data: Vec<u8>,
    pub spans: Vec<u32>,
}

#[derive(Clone, Debug)]
pub struct PackedTextResult {
    pub data: String,
    pub spans: Vec<u32>,
}

#[derive(Clone, Debug)]
pub enum RowsResult {
    All,
    Only(Vec<u32>),
}

#[derive(Clone, Debug)]
pub enum ValuesResult {
    Same(String),
    Each(PackedTextResult),
}

#[derive(Clone, Debug)]
pub struct ColumnResult {
    pub name: String,
    pub rows: RowsResult,
    pub values: ValuesResult,
}

#[derive(Clone, Debug)]
pub struct Events {
    pub bodies: PackedResult,
    pub headers: Vec<ColumnResult>,
}

#[derive(Clone, Debug)]
pub struct Rejection {
    pub row: u32,
    pub reason: String,
}
