use super::super::fixtures::{batch, bodies, build, check, run, values};
use super::*;

fn extract(pairs: &[(&str, &str)], input: Batch) -> Batch {
    run("regex_extractor", pairs, input).0
}
fn names<'a>(regex: &'a str, list: &'a str) -> Vec<(&'a str, &'a str)> {
    let each =
        [("serializers.s1.name", "one"), ("serializers.s2.name", "two"), ("serializers.s3.name", "three")];
    [("regex", regex), ("serializers", list)].into_iter().chain(each).collect()
}

// Golden case int_regex_extractor.
#[test]
fn groups_become_headers_in_the_order_of_the_list() {
    let pairs = [
        ("regex", r"(\w+)=(\w+) (\w+)=(\w+)"),
        ("serializers", "s1 s2 s4"),
        ("serializers.s1.name", "one"),
        ("serializers.s2.name", "two"),
        ("serializers.s4.name", "three"),
    ];
    let input = batch(&[("hello", &[]), ("key=value user=alice", &[]), ("a=b c=d e=f", &[])]);
    let out = extract(&pairs, input.clone());
    assert_eq!(values(&out, "one"), [None, Some("key"), Some("a")]);
    assert_eq!(values(&out, "two"), [None, Some("value"), Some("b")]);
    assert_eq!(values(&out, "three"), [None, Some("user"), Some("c")]);
    assert_eq!(out.arena().as_ptr(), input.arena().as_ptr());
}

// golden-vectors.md §8.
#[test]
fn the_first_match_counts() {
    let input = batch(&[("12:ab 13:cd", &[]), ("none", &[])]);
    let out = extract(&names(r"(\d+):(\w+)", "s1 s2"), input);
    assert_eq!((values(&out, "one"), values(&out, "two")), (vec![Some("12"), None], vec![Some("ab"), None]));
    let log = batch(&[("2012-10-18 18:47:57,614 some log line", &[])]);
    let out = extract(&names(r"^(?:\n)?(\d\d\d\d-\d\d-\d\d\s\d\d:\d\d)", "s1"), log);
    assert_eq!(values(&out, "one"), [Some("2012-10-18 18:47")]);
}

#[test]
fn a_batch_without_a_match_is_as_it_was() {
    let out = extract(&names("(x)", "s1"), batch(&[("a", &[("one", "kept")])]));
    assert_eq!(values(&out, "one"), [Some("kept")]);
}

#[test]
fn events_without_a_match_keep_what_they_had_and_others_lose_it() {
    let old: &[(&str, &str)] = &[("one", "old")];
    let input = batch(&[("none", old), ("a1", old), ("b", old)]);
    let out = extract(&names(r"^(?:a(\d)|b)$", "s1"), input);
    assert_eq!(values(&out, "one"), [Some("old"), Some("1"), None]);
}

// Golden case int_chain.
#[test]
fn interceptors_work_on_what_those_before_them_left() {
    let lines =
        ["hello", "the quick brown fox", "ERROR 42 disk full", "key=value user=alice", "", "last line"];
    let input = batch(&lines.map(|line| (line, [].as_slice())));
    let (out, drops) = run("regex_filter", &[("regex", "^hello"), ("excludeEvents", "true")], input);
    let (out, _) = run("search_replace", &[("searchPattern", "[aeiou]"), ("replaceString", "*")], out);
    let (out, _) = run("static", &[("key", "stage"), ("value", "x")], out);
    let out = extract(&[("regex", r"(\d+)"), ("serializers", "s1"), ("serializers.s1.name", "num")], out);
    let replaced = ["th* q**ck br*wn f*x", "ERROR 42 d*sk f*ll", "k*y=v*l** *s*r=*l*c*", "", "l*st l*n*"];
    assert_eq!((bodies(&out), drops.total()), (replaced.map(str::to_owned).to_vec(), 1));
    assert_eq!(values(&out, "num"), [None, Some("42"), None, None, None]);
    assert_eq!(values(&out, "stage"), [Some("x"); 5]);
}

#[test]
fn more_groups_than_serializers_and_the_other_way_round() {
    let out = extract(&names("(a)(b)(c)", "s1"), batch(&[("abc", &[])]));
    assert_eq!(out.headers().len(), 1);
    let out = extract(&names("(a)", "s1 s2 s3"), batch(&[("abc", &[])]));
    assert_eq!(out.headers().len(), 1);
    let (good, messages) = check("regex_extractor", &names("(a)", "s1 s2 s3"));
    assert!(good && messages[0].contains("1 groups for 3 serializers"), "{messages:?}");
}

#[test]
fn of_two_serializers_with_one_header_the_later_counts() {
    let pairs = [
        ("regex", "(a)(b)?"),
        ("serializers", "x y"),
        ("serializers.x.name", "h"),
        ("serializers.y.name", "h"),
    ];
    let out = extract(&pairs, batch(&[("ab", &[]), ("none", &[])]));
    assert_eq!(values(&out, "h"), [Some("b"), None]);
}

#[test]
fn bodies_that_are_no_text_are_read_as_java_reads_them() {
    let mut builder = flumen_event::BatchBuilder::default();
    for body in [b"id=\xff1".as_slice(), b"id=2"] {
        builder.push(body, []).expect("within limits");
    }
    let out = extract(&names("id=(.+)", "s1"), builder.finish());
    assert_eq!(values(&out, "one"), [Some("\u{fffd}1"), Some("2")]);
    assert_eq!(bodies(&out)[1], "id=2");
}

const MILLIS: &str = "org.apache.flume.interceptor.RegexExtractorInterceptorMillisSerializer";

fn dated(body: &str) -> Result<Batch, InterceptError> {
    let pairs = [
        ("regex", r"^(\S+ \S+)? ?(.*)$"),
        ("serializers", "date rest"),
        ("serializers.date.type", MILLIS),
        ("serializers.date.name", "timestamp"),
        ("serializers.date.pattern", "yyyy-MM-dd HH:mmZ"),
        ("serializers.rest.name", "rest"),
    ];
    let interceptor = build("regex_extractor", &pairs).unwrap_or_else(|d| panic!("{d:?}"));
    interceptor.intercept(batch(&[(body, &[("timestamp", "old")])]), &mut Drops::default())
}

// The date of golden-vectors.md §8, with a zone so that every machine agrees.
#[test]
fn dates_become_milliseconds() {
    let out = dated("2012-10-18 18:47+0200 line").expect("a date");
    assert_eq!(values(&out, "timestamp"), [Some("1350578820000")]);
    assert_eq!(values(&out, "rest"), [Some("line")]);
}

#[test]
fn a_batch_with_a_text_that_is_no_date_is_refused_as_in_flume() {
    let error = dated("2012-10-18 late line").expect_err("refused");
    assert!(error.to_string().starts_with("interceptor i1: invalid format: \"2012-10-18 late\""), "{error}");
    assert!(dated("").expect_err("refused").reason.contains("took no part"));
}

#[test]
fn spans_are_those_of_a_window() {
    let input = batch(&[("id=1", &[]), ("id=2", &[]), ("id=3", &[])]).slice(1..3);
    assert_eq!(values(&extract(&names(r"(\d)", "s1"), input), "one"), [Some("2"), Some("3")]);
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let pairs = [
        ("regex", "(a)(b)"),
        ("serializers", "s1 s2"),
        ("serializers.s1.type", "com.acme.S"),
        ("serializers.s1.name", "x"),
    ];
    let problems = build("regex_extractor", &pairs).err().expect("refused");
    let texts: Vec<&str> = problems.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        texts,
        ["there is no serializer `com.acme.S` for groups", "required parameter `name` is not set"]
    );
    let date = [("serializers.s1.type", MILLIS), ("serializers.s1.pattern", "yyyy-QQ")];
    let (good, messages) = check("regex_extractor", &[&names("(a)", "s1")[..], &date].concat());
    assert!(!good && messages[0].contains("illegal pattern component"), "{messages:?}");
    assert!(!check("regex_extractor", &[("regex", "(a)")]).0);
    assert!(!check("regex_extractor", &[("serializers", "a"), ("serializers.a.name", "x")]).0);
}
