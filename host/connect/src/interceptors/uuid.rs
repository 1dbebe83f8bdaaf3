//! `UUIDInterceptor`: an identifier for every event.

use flumen_config::{Diagnostics, Options, Settings, options};
use flumen_event::{Batch, Column, ColumnBuilder, HeaderName};

use super::constant::Existing;
use crate::catalog::InterceptorType;
use crate::interceptor::{Drops, InterceptError, Interceptor};

options! {
    /// Gives every event a random identifier (UUID version 4, as Java prints it), so that a store can tell
    /// an event that came twice. The randomness is the kernel's: no two agents draw the same.
    pub struct UuidOptions {
        /// The header.
        "headerName" => header_name: String = "id".to_owned(),
        /// Whether events that have the header keep theirs.
        "preserveExisting" => preserve_existing: bool = true,
        /// Text in front of the identifier.
        "prefix" => prefix: String = String::new(),
    }
}

pub(super) const UUID: InterceptorType = InterceptorType {
    spec: super::spec::<UuidOptions>(
        "org.apache.flume.sink.solr.morphline.UUIDInterceptor$Builder",
        &[],
        |settings, diagnostics| make(settings, diagnostics).is_some(),
    ),
    build: |settings| super::build(settings, make),
};

fn make(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Uuid> {
    let options = UuidOptions::read(settings, diagnostics)?;
    Some(Uuid {
        name: settings.name().to_owned(),
        header: options.header_name.as_str().into(),
        existing: Existing::preserved(options.preserve_existing),
        prefix: options.prefix,
    })
}

struct Uuid {
    name: String,
    header: HeaderName,
    existing: Existing,
    prefix: String,
}

impl Interceptor for Uuid {
    fn intercept(&self, batch: Batch, _: &mut Drops) -> Result<Batch, InterceptError> {
        let preserve = self.existing == Existing::Keep;
        if preserve && matches!(batch.headers().column(&self.header), Some(Column::Constant(_))) {
            return Ok(batch);
        }
        let mut random = vec![0; 16 * batch.len()];
        getrandom::fill(&mut random).map_err(|error| InterceptError {
            interceptor: self.name.clone(),
            reason: format!("the system gave no random numbers: {error}"),
        })?;
        let mut column = ColumnBuilder::default();
        let mut value = self.prefix.clone();
        for (event, random) in batch.iter().zip(random.as_chunks().0) {
            if let Some(kept) = event.header(&self.header).filter(|_| preserve) {
                column.push(Some(kept));
                continue;
            }
            value.truncate(self.prefix.len());
            push_uuid(*random, &mut value);
            column.push(Some(&value));
        }
        Ok(batch.with_column(&self.header, column))
    }
}

/// Appends random bytes as a UUID of version 4: `xxxxxxxx-xxxx-4xxx-[89ab]xxx-xxxxxxxxxxxx`.
fn push_uuid(mut random: [u8; 16], out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in random.into_iter().enumerate() {
        at += usize::from(matches!(index, 4 | 6 | 8 | 10));
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    out.push_str(str::from_utf8(&text).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{batch, run, values};
    use super::{UUID, push_uuid};

    #[test]
    fn text_is_that_of_java_util_uuid() {
        let mut out = String::from("px-");
        push_uuid(std::array::from_fn(|n| 0xff - n as u8), &mut out);
        assert_eq!(out, "px-fffefdfc-fbfa-49f8-b7f6-f5f4f3f2f1f0");
    }

    // Golden case int_uuid.
    #[test]
    fn every_event_gets_its_own_unless_it_has_one() {
        let input = batch(&[("a", &[]), ("b", &[("id", "mine")]), ("c", &[])]);
        let (out, _) = run(UUID.spec.name, &[("prefix", "px-")], input);
        let ids = values(&out, "id");
        assert_eq!(ids[1], Some("mine"));
        assert!(
            ids[0] != ids[2] && ids.iter().flatten().filter(|id| id.len() == 3 + 36).count() == 2,
            "{ids:?}"
        );
    }

    #[test]
    fn existing_ones_are_replaced_if_asked_for() {
        let input = batch(&[("a", &[("id", "1")])]).with_constant(&"id".into(), "2");
        let (out, _) = run(UUID.spec.name, &[("preserveExisting", "false")], input.clone());
        assert_eq!(values(&out, "id")[0].map(str::len), Some(36));
        let (out, _) = run(UUID.spec.name, &[], input);
        assert_eq!(values(&out, "id"), [Some("2")]);
    }
}
