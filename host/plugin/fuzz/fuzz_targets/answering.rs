//! A batch and a guest's answer made of any bytes, and what the host is held to. Numbers are mostly small, so that many
//! answers get far; and sometimes as wrong as can be.

use flumen_event::{Batch, BatchBuilder};
use flumen_plugin::world::v0_1_0::bindings::flumen::plugin::columns::{
    Addition, BodyChange, Edits, HeaderRemoval,
};
use flumen_plugin::world::v0_1_0::bindings::flumen::plugin::types::{
    ColumnResult, Events, PackedResult, PackedTextResult, Rejection, RowsResult, ValuesResult,
};
use flumen_plugin::world::v0_1_0::columns::{Bounds, apply, events_from};

const NAMES: [&str; 6] = ["a", "b", "c", "host", "é", ""];
const TEXT: &str = "short é € 𝄞 text of several kinds of characters";

/// Reads values from bytes; zeros when they are used up.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }
    fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }
    fn chance(&mut self) -> bool {
        self.byte() & 1 == 1
    }
    fn number(&mut self) -> u32 {
        match self.byte() {
            255 => u32::MAX,
            254 => u32::MAX - 1,
            253 => 1 << 31,
            252 => u32::from(self.byte()) << 8 | u32::from(self.byte()),
            small => u32::from(small) % 48,
        }
    }
    fn list<T>(&mut self, max: usize, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.below(max + 1);
        (0..count).map(|_| item(self)).collect()
    }
    fn bytes(&mut self) -> Vec<u8> {
        self.list(40, Self::byte)
    }
    /// Mostly as many pairs as wanted, mostly in order.
    fn spans(&mut self, items: usize) -> Vec<u32> {
        let odd = self.byte() > 250;
        let count = if self.byte() > 240 { self.below(20) } else { items };
        let mut spans = Vec::new();
        for _ in 0..count {
            let (a, b) = (self.number(), self.number());
            spans.extend(if self.byte() > 250 { [a.max(b), a.min(b)] } else { [a.min(b), a.max(b)] });
        }
        spans.extend(odd.then_some(0));
        spans
    }
    fn packed(&mut self, items: usize) -> PackedResult {
        PackedResult { data: self.bytes(), spans: self.spans(items) }
    }
    fn rows(&mut self, count: usize) -> (RowsResult, usize) {
        if self.chance() {
            return (RowsResult::All, count);
        }
        let mut rows = self.list(count, Self::number);
        if self.byte() < 240 {
            rows.sort_unstable();
            rows.dedup();
        }
        let named = rows.len();
        (RowsResult::Only(rows), named)
    }
    fn name(&mut self) -> String {
        NAMES[self.below(NAMES.len())].to_owned()
    }
    fn columns(&mut self, count: usize) -> Vec<ColumnResult> {
        self.list(6, |own| {
            let name = own.name();
            let (rows, named) = own.rows(count);
            let values = if own.chance() {
                ValuesResult::Same(own.name())
            } else {
                ValuesResult::Each(PackedTextResult { data: TEXT.to_owned(), spans: own.spans(named) })
            };
            ColumnResult { name, rows, values }
        })
    }
    fn batch(&mut self) -> Batch {
        let mut builder = BatchBuilder::default();
        for _ in 0..self.below(40) {
            let headers = self.list(3, |own| (own.name(), own.name()));
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            builder.push(&self.bytes(), headers).expect("it is small");
        }
        let batch = builder.finish();
        let (a, b) = (self.below(batch.len() + 1), self.below(batch.len() + 1));
        batch.slice(a.min(b)..a.max(b))
    }
    fn edits(&mut self, count: usize) -> Edits {
        let words = if self.byte() > 240 { self.below(4) } else { count.div_ceil(64) };
        let keep =
            self.chance().then(|| (0..words).map(|_| u64::from(self.number()) << self.below(64)).collect());
        let bodies = self.chance().then(|| {
            let (rows, named) = self.rows(count);
            BodyChange { rows, bodies: self.packed(named) }
        });
        let removal = |own: &mut Self| HeaderRemoval { name: own.name(), rows: own.rows(count).0 };
        let added = |own: &mut Self| {
            let mut after = own.list(12, Self::number);
            if own.byte() < 240 {
                after.sort_unstable();
            }
            let (inherit_headers, new) = (own.chance(), after.len());
            Addition { after, inherit_headers, bodies: own.packed(new), headers: own.columns(new) }
        };
        Edits {
            keep,
            bodies,
            remove_headers: self.list(3, removal),
            set_headers: self.columns(count),
            rejected: self.list(4, |own| Rejection { row: own.number(), reason: own.name() }),
            added: if self.chance() { Some(added(self)) } else { None },
        }
    }
}

/// The sum of the events' sizes, as `columns` defines them. Reads every byte and every header.
fn size(batch: &Batch) -> usize {
    let header = |(name, value): (&str, &str)| {
        assert!(value.chars().all(|c| c != char::REPLACEMENT_CHARACTER), "texts are texts");
        name.len() + value.len() + 8
    };
    batch.iter().map(|e| e.body().to_vec().len() + 8 + e.headers().map(header).sum::<usize>()).sum()
}

/// Makes a batch and an answer of the bytes, and looks at what becomes of them.
pub fn check(data: &[u8]) {
    let mut reader = Reader(data);
    let bounds = Bounds {
        bytes_max: 16 << reader.below(12),
        events_max: reader.below(64),
        columns_max: reader.below(8),
    };
    let batch = reader.batch();
    let edits = reader.edits(batch.len());
    if let Ok(applied) = apply(&batch, edits, &bounds) {
        let (after, before) = (size(&applied.batch), size(&batch));
        assert!(after <= before + bounds.bytes_max, "{after} bytes of {before} with {bounds:?}");
        let left = batch.len() - applied.filtered - applied.rejected.events.len();
        assert_eq!(applied.batch.len(), left + applied.added, "every event is accounted for");
        assert_eq!(applied.rejected.events.len(), applied.rejected.reasons.len());
        assert!(applied.batch.len() <= bounds.events_max.max(batch.len()), "{bounds:?}");
        assert!(applied.batch.headers().len() <= bounds.columns_max.max(batch.headers().len()), "{bounds:?}");
        size(&applied.rejected.events);
    }
    let events = reader.below(24);
    let events = Events { bodies: reader.packed(events), headers: reader.columns(events) };
    if let Ok(made) = events_from(events, &bounds) {
        assert!(size(&made) <= bounds.bytes_max && made.len() <= bounds.events_max, "{bounds:?}");
        assert!(made.headers().len() <= bounds.columns_max, "{bounds:?}");
    }
}
