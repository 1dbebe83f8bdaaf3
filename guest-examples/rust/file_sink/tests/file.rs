//! What `file_sink` does, natively.

use file_sink::FileSink;
use flumen_plugin_sdk::sink::{Error, Sink};
use flumen_plugin_sdk::testing::{Event, batch, delivered, options};

#[test]
fn bodies_are_appended_as_lines_and_too_long_ones_rejected() {
    let folder = std::env::temp_dir().join(format!("file_sink.{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("out.txt");
    let pairs = [("path", path.to_str().expect("a text")), ("maxBytes", "5")];
    let input = [Event::new("one"), Event::new("too long"), Event::new("two")];
    for _ in 0..2 {
        let mut sink = FileSink::configure(&options(&pairs)).expect("valid");
        sink.start().expect("opened");
        let delivery = sink.deliver(&batch(&input, &sink.needs())).expect("written");
        assert_eq!(delivered(delivery, 3), (vec![], vec![1]));
        sink.stop();
    }
    assert_eq!(std::fs::read_to_string(&path).expect("written"), "one\ntwo\none\ntwo\n");
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn a_folder_that_is_not_granted_is_tried_again() {
    let mut sink = FileSink::configure(&options(&[("path", "/no/such/folder/out.txt")])).expect("valid");
    assert!(matches!(sink.start(), Err(Error::Retry(why)) if why.contains("/no/such/folder/out.txt")));
}
