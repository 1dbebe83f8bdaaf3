use super::super::reader::put_long;
use super::*;
use flumen_event::BatchBuilder;
use proptest::prelude::*;

type Model = Vec<(Vec<(String, String)>, Vec<u8>)>;

fn model_of(batches: &[Batch]) -> Model {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let events = batches.iter().flat_map(Batch::iter);
    events
        .map(|event| {
            let mut headers: Vec<_> = event.headers().map(own).collect();
            headers.sort();
            (headers, event.body().to_vec())
        })
        .collect()
}
fn build(model: &Model) -> Batch {
    let mut builder = BatchBuilder::default();
    for (headers, body) in model {
        builder.push(body, headers.iter().map(|(n, v)| (n.as_str(), v.as_str()))).expect("fits");
    }
    builder.finish()
}
fn read(bytes: &[u8]) -> Result<Vec<Batch>, Malformed> {
    read_as(bytes, &EventShape::Plain)
}
fn read_as(bytes: &[u8], shape: &EventShape) -> Result<Vec<Batch>, Malformed> {
    let payload = Bytes::copy_from_slice(bytes);
    let schemas = Schemas::default();
    read_events(&payload, &mut Reader::new(&payload), Method::AppendBatch, shape, &schemas)
}
fn model() -> impl Strategy<Value = Model> {
    let few = prop::collection::btree_map("[ab]", "[xé]{0,3}", 0..3);
    let many = prop::collection::btree_map("h[0-9]{1,3}", "[xé]{0,3}", 0..90);
    let body = prop::collection::vec(any::<u8>(), 0..200);
    let headers = prop_oneof![4 => few, 1 => many].prop_map(|map| map.into_iter().collect());
    prop::collection::vec((headers, body), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]
    #[test]
    fn what_is_written_is_read_as_it_was(mut model in model(), from in 0usize..40) {
        model.iter_mut().for_each(|(headers, _)| headers.sort());
        let whole = build(&model);
        let from = from.min(model.len());
        // A window, so that rows and indexes differ.
        let batch = whole.slice(from..model.len());
        let wanted: Model = model[from..].to_vec();
        let mut bytes = Vec::new();
        if !batch.is_empty() {
            put_long(batch.len() as i64, &mut bytes);
            put_events(&batch, &mut bytes);
        }
        bytes.push(0);
        prop_assert_eq!(model_of(&read(&bytes).expect("valid")), wanted);
    }

    #[test]
    fn any_bytes_are_events_or_an_error(bytes in prop::collection::vec(prop_oneof![0u8..8, any::<u8>()], 0..300)) {
        // What can be read is written and read again as it was.
        if let Ok(batches) = read(&bytes) {
            let mut again = Vec::new();
            for batch in &batches {
                put_long(batch.len() as i64, &mut again);
                put_events(batch, &mut again);
            }
            again.push(0);
            prop_assert_eq!(model_of(&read(&again).expect("valid")), model_of(&batches));
        }
    }
}

#[test]
fn bodies_stay_where_they_came() {
    let payload = Bytes::from_static(b"\x04\x02\x02k\x02v\x00\x0ahello\x00\x02x\x00");
    let schemas = Schemas::default();
    let mut reader = Reader::new(&payload);
    let batches =
        read_events(&payload, &mut reader, Method::AppendBatch, &EventShape::Plain, &schemas).expect("valid");
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].event(0).body().as_ptr(), payload[8..].as_ptr());
    assert_eq!(reader.left(), 0);
}

#[test]
fn blocks_may_be_several_and_have_their_size_in_front() {
    // events: a block of one (with its size), a block of one; headers likewise.
    let bytes = b"\x01\x18\x01\x08\x02k\x02v\x02\x02l\x02w\x00\x02a\x02\x00\x02b\x00";
    let wanted = vec![
        (vec![("k".to_owned(), "v".to_owned()), ("l".into(), "w".into())], b"a".to_vec()),
        (vec![], b"b".to_vec()),
    ];
    assert_eq!(model_of(&read(bytes).expect("valid")), wanted);
}

#[test]
fn text_that_is_not_utf8_is_read_as_java_reads_it() {
    let batches = read(b"\x04\x02\x02k\x04\xffv\x00\x02a\x02\x02\xfe\x02v\x00\x02b\x00").expect("valid");
    let wanted = vec![
        (vec![("k".to_owned(), "\u{fffd}v".to_owned())], b"a".to_vec()),
        (vec![("\u{fffd}".to_owned(), "v".to_owned())], b"b".to_vec()),
    ];
    assert_eq!(model_of(&batches), wanted);
}

#[test]
fn more_names_than_a_batch_may_have_make_several_batches() {
    let model: Model =
        (0..5000).map(|n| (vec![(format!("name{n}"), "v".to_owned())], b"b".to_vec())).collect();
    let mut bytes = Vec::new();
    put_long(model.len() as i64, &mut bytes);
    for (headers, body) in &model {
        put_map(headers.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())), &mut bytes);
        put_bytes(body, &mut bytes);
    }
    bytes.push(0);
    let batches = read(&bytes).expect("valid");
    assert!(batches.len() > 1);
    assert_eq!(model_of(&batches), model);
}

#[test]
fn one_event_with_too_many_headers_is_refused() {
    let names: Vec<String> = (0..5000).map(|n| format!("name{n}")).collect();
    let mut bytes = vec![2];
    put_map(names.iter().map(|n| (n.as_bytes(), &b"v"[..])), &mut bytes);
    bytes.extend_from_slice(b"\x02b\x00");
    assert_eq!(read(&bytes).err(), Some(Malformed::TooManyHeaders(4096)));
}

#[test]
fn claims_of_endless_events_take_no_memory() {
    let mut bytes = Vec::new();
    put_long(i64::MAX, &mut bytes);
    assert_eq!(read(&bytes).err(), Some(Malformed::Ends("a number")));
    let tiny =
        [&[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1][..], &vec![0; 2 * (PLACES_MAX + 1)]];
    assert_eq!(read(&tiny.concat()).err(), Some(Malformed::TooManyEvents(PLACES_MAX)));
}

#[test]
fn fields_may_stand_in_another_order_with_others_between() {
    let mut schemas = Schemas::default();
    let id = schemas.read(&serde_json::json!(["null", "string"])).expect("a schema");
    let shape = EventShape::Fields(vec![EventField::Body, EventField::Other(id), EventField::Headers]);
    let payload = Bytes::from_static(b"\x02\x04ab\x02\x02x\x02\x02k\x02v\x00\x00");
    let mut reader = Reader::new(&payload);
    let batches = read_events(&payload, &mut reader, Method::AppendBatch, &shape, &schemas).expect("valid");
    assert_eq!(model_of(&batches), vec![(vec![("k".to_owned(), "v".to_owned())], b"ab".to_vec())]);
    assert!(read_as(b"\x02", &shape).is_err());
}
