//! Guests whose answers lie.
//!
//! Offsets in the answer: 4 `keep`, 16 `bodies` (rows at 20, data at 32, spans at 40), 48 `remove-headers`,
//! 56 `set-headers`, 64 `rejected`, 72 `added` (after at 76, inherit at 84, data at 88, spans at 96, headers at 104).

use super::guest::Guest;
use super::room::{attack, says};

const DATA: u32 = 4096;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// New bodies for all rows: 64 bytes of data, these spans.
fn bodies(spans: &[u32]) -> Guest {
    Guest::new()
        .data(DATA, &[b'y'; 64])
        .data(DATA + 64, &words(spans))
        .answers(16, 1)
        .lists(32, DATA, 64)
        .lists(40, DATA + 64, spans.len() as u32)
}

/// New bodies for these rows.
fn rows(rows: &[u32]) -> Guest {
    let spans = [0, 1].repeat(rows.len());
    bodies(&spans).answers(20, 1).data(DATA + 4096, &words(rows)).lists(24, DATA + 4096, rows.len() as u32)
}

/// One header column: name, then `values.same`, or the packed text with these spans.
fn column(name: (u32, u32), text: (u32, u32), spans: Option<&[u32]>) -> Guest {
    let mut column = vec![name.0, name.1, 0, 0, 0];
    match spans {
        None => column.extend([0, text.0, text.1, 0, 0]),
        Some(spans) => column.extend([1, text.0, text.1, DATA + 2048, spans.len() as u32]),
    }
    Guest::new()
        .data(DATA, "hääder".as_bytes())
        .data(DATA + 1024, &words(&column))
        .data(DATA + 2048, &words(spans.unwrap_or_default()))
        .lists(56, DATA + 1024, 1)
}

/// Adds events: how many, their spans over 64 bytes.
fn added(after: &[u32], spans: &[u32]) -> Guest {
    Guest::new()
        .data(DATA, &[b'y'; 64])
        .data(DATA + 64, &words(after))
        .data(DATA + 64 + 4 * after.len() as u32, &words(spans))
        .answers(72, 1)
        .lists(76, DATA + 64, after.len() as u32)
        .lists(88, DATA, 64)
        .lists(96, DATA + 64 + 4 * after.len() as u32, spans.len() as u32)
}

macro_rules! lies {
    ($($name:ident: $guest:expr => $says:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            says(&attack(stringify!($name), &$guest).await.error, &$says);
        }
    )*};
}

// The attack is alone in its batch by the time its dead letter is made: every answer here is for one event.
lies! {
    a_span_beyond_the_data: bodies(&[0, 65]) => ["breaks the contract", "0..65 of 64 bytes"];
    a_span_far_beyond_the_data: bodies(&[0xffff_fff0, 0xffff_ffff]) => ["breaks the contract", "of 64 bytes"];
    a_span_that_runs_backwards: bodies(&[9, 3]) => ["breaks the contract", "9..3"];
    an_odd_number_of_span_ends: bodies(&[0, 1, 2]) => ["breaks the contract", "3 numbers are no pairs"];
    more_bodies_than_rows: bodies(&[0, 1, 1, 2]) => ["breaks the contract", "2 items for 1 rows"];
    fewer_bodies_than_rows: bodies(&[]) => ["breaks the contract", "0 items for 1 rows"];
    a_row_that_is_not_there: rows(&[7]) => ["breaks the contract", "row 7 of 1"];
    a_row_twice: rows(&[0, 0]) => ["breaks the contract", "row 0"];
    rows_in_the_wrong_order: rows(&[1, 0]) => ["breaks the contract", "row 1"];
    keep_with_too_many_words: Guest::new().answers(4, 1).lists(8, DATA, 2) => ["breaks the contract", "2 words for 1 events"];
    keep_with_no_words: Guest::new().answers(4, 1).lists(8, DATA, 0) => ["breaks the contract", "0 words for 1 events"];
    a_list_outside_of_memory: Guest::new().answers(4, 1).lists(8, 0xffff_fff0, 2) => ["trapped"];
    a_list_longer_than_memory: Guest::new().answers(4, 1).lists(8, DATA, 0x1fff_ffff) => ["trapped"];
    a_list_that_is_not_aligned: Guest::new().answers(4, 1).lists(8, DATA + 3, 1) => ["trapped"];
    a_case_that_does_not_exist: Guest::new().answers(16, 7) => ["trapped"];
    an_answer_outside_of_memory: Guest::new().does("(i32.const -64)") => ["trapped"];
    an_answer_that_is_not_aligned: Guest::new().does("(i32.const 2049)") => ["trapped"];
    text_that_is_not_utf8: column((DATA + 2, 2), (DATA, 1), None) => ["trapped", "utf-8"];
    a_span_that_cuts_a_character: column((DATA, 1), (DATA, 8), Some(&[0, 2])) => ["breaks the contract", "cuts a character"];
    a_value_for_two_rows_of_one: column((DATA, 1), (DATA, 1), Some(&[0, 1, 0, 1])) => ["breaks the contract", "2 items for 1 rows"];
    an_added_event_that_follows_nothing_in_order: added(&[1, 0], &[0, 1, 0, 1]) => ["breaks the contract"];
    an_added_event_without_a_body: added(&[0, 0], &[0, 1]) => ["breaks the contract", "2 items for 1 rows"];
    a_rejection_of_no_row:
        Guest::new().data(DATA, &words(&[9, DATA, 0])).lists(64, DATA, 1) => ["breaks the contract", "row 9 of 1"];
}

/// 100,000 spans that are all the same 60 kB: 6 GB if they were copied.
#[tokio::test]
async fn overlapping_spans_are_counted_as_what_they_name() {
    let count = 100_000;
    let guest = Guest::new()
        .pages(40)
        .does(&format!(
            "(loop $l
               (i32.store (i32.add (i32.const 200004) (i32.shl (local.get $i) (i32.const 3))) (i32.const 60000))
               (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {count}))))
             (i32.const 2048)"
        ))
        .answers(72, 1)
        .lists(76, 1_100_000, count)
        .lists(88, 4096, 60_000)
        .lists(96, 200_000, 2 * count);
    says(&attack("amplified", &guest).await.error, &["limits.outputBytesMax", "1048576"]);
}

#[tokio::test]
async fn events_without_bytes_are_counted_as_what_they_cost() {
    // Empty bodies: no bytes, only rows and spans of 400,000 events.
    let guest = Guest::new().pages(60).answers(72, 1).lists(76, 200_000, 400_000).lists(96, 200_000, 800_000);
    let met = super::room::attack_with("events", &guest, |spec| spec.limits.memory_bytes_max = 8 << 20).await;
    says(&met.error, &["limits.outputBytesMax", "1048576"]);
}

/// A column is 40 bytes; all names are the same byte, one after the other.
#[tokio::test]
async fn thousands_of_headers_are_refused() {
    let guest = Guest::new()
        .pages(40)
        .does(
            "(loop $l
               (local.set $j (i32.add (i32.const 300000) (i32.mul (local.get $i) (i32.const 40))))
               (i32.store (i32.add (i32.const 200000) (i32.shl (local.get $i) (i32.const 3)))
                 (i32.add (i32.const 0x30303030) (i32.add (i32.and (local.get $i) (i32.const 0x0f))
                   (i32.or (i32.shl (i32.and (local.get $i) (i32.const 0x0f0)) (i32.const 4))
                   (i32.or (i32.shl (i32.and (local.get $i) (i32.const 0x0f00)) (i32.const 8))
                     (i32.shl (i32.and (local.get $i) (i32.const 0x0f000)) (i32.const 12)))))))
               (i32.store (local.get $j) (i32.add (i32.const 200000) (i32.shl (local.get $i) (i32.const 3))))
               (i32.store offset=4 (local.get $j) (i32.const 4))
               (i32.store offset=24 (local.get $j) (i32.const 4096))
               (i32.store offset=28 (local.get $j) (i32.const 1))
               (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10000))))
             (i32.const 2048)",
        )
        .lists(56, 300_000, 10_000);
    says(&attack("header-bomb", &guest).await.error, &["different headers", "at most"]);
}

#[tokio::test]
async fn a_huge_name_is_refused() {
    let guest = column((300_000, 2_000_000), (DATA, 1), None).pages(40);
    let error = attack("huge-name", &guest).await.error;
    assert!(error.contains("limits.outputBytesMax") || error.contains("breaks the contract"), "{error}");
}

/// Its own error, 3 MB of it: what the log and the dead letter take is bounded.
#[tokio::test]
async fn a_huge_error_text_is_cut() {
    let guest = Guest::new().pages(60).answers(0, 1).answers(4, 3).lists(8, 4096, 3_000_000);
    let met = super::room::attack_with("huge-error", &guest.data(4096, b"because"), |_| {}).await;
    assert!(met.error.len() < 64 << 10, "{} bytes", met.error.len());
}
