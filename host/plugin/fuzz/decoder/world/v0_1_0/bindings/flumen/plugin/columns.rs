//! The interface `columns`.

use super::types::{ColumnParam, ColumnResult, PackedParam, PackedResult, Rejection, RowsResult};

#[derive(Clone, Debug)]
pub enum HeaderNeed {
    Nothing,
    Only(Vec<String>),
    All,
}

#[derive(Clone, Debug)]
pub struct Needs {
    pub body: bool,
    pub headers: HeaderNeed,
}

#[derive(Clone, Debug)]
pub struct Batch<'a> {
    pub count: u32,
    pub bodies: Option<PackedParam<'a>>,
    pub headers: &'a [ColumnParam<'a>],
}

#[derive(Clone, Debug)]
pub struct Edits {
    pub keep: Option<Vec<u64>>,
    pub bodies: Option<BodyChange>,
    pub remove_headers: Vec<HeaderRemoval>,
    pub set_headers: Vec<ColumnResult>,
    pub rejected: Vec<Rejection>,
    pub added: Option<Addition>,
}

#[derive(Clone, Debug)]
pub struct BodyChange {
    pub rows: RowsResult,
    pub bodies: PackedResult,
}

#[derive(Clone, Debug)]
pub struct HeaderRemoval {
    pub name: String,
    pub rows: RowsResult,
}

#[derive(Clone, Debug)]
pub struct Addition {
    pub after: Vec<u32>,
    pub inherit_headers: bool,
    pub bodies: PackedResult,
    pub headers: Vec<ColumnResult>,
}
