//! The serializer: what is in the file, and what a failure leaves of the encoder.

use flumen_connect::{Serializer, SerializerFactory as _};
use flumen_plugin::serialize::SerializerPlugin;
use flumen_plugin::spec::{Kind, Limits, OnError};
use flumen_plugin::{AnyPlugin as _, LoadError};

use super::fixture::{batch, host, on_error, spec};

fn plugin() -> SerializerPlugin {
    SerializerPlugin::new(host(), spec(Kind::Serializer, &[]))
}

fn begun(plugin: &SerializerPlugin) -> (Box<dyn Serializer>, Vec<u8>) {
    let (mut file, mut out) = (plugin.create(), Vec::new());
    file.begin(&mut out).expect("it begins");
    (file, out)
}

fn text(out: &[u8]) -> &str {
    str::from_utf8(out).expect("text")
}

#[test]
fn a_file_has_its_beginning_its_events_and_its_end() {
    let (mut file, mut out) = begun(&plugin());
    assert_eq!(text(&out), "<\n");
    file.write(&batch(&["one", "two"]), &mut out).expect("it writes");
    assert_eq!(text(&out), "<\n", "the guest keeps lines back until `flush`");
    file.flush(&mut out).expect("it flushes");
    file.write(&batch(&["three"]), &mut out).expect("it writes");
    file.end(&mut out).expect("it ends");
    assert_eq!(text(&out), "<\none\ntwo\nthree\n>\n");
}

#[test]
fn files_that_are_open_together_do_not_mix() {
    let plugin = plugin();
    let ((mut first, mut a), (mut second, mut b)) = (begun(&plugin), begun(&plugin));
    first.write(&batch(&["a"]), &mut a).expect("it writes");
    second.write(&batch(&["b"]), &mut b).expect("it writes");
    first.end(&mut a).expect("it ends");
    second.end(&mut b).expect("it ends");
    assert_eq!((text(&a), text(&b)), ("<\na\n>\n", "<\nb\n>\n"));
}

#[test]
fn discarded_events_do_not_come_back() {
    let (mut file, mut out) = begun(&plugin());
    file.write(&batch(&["lost"]), &mut out).expect("it writes");
    file.discard();
    file.write(&batch(&["kept"]), &mut out).expect("it writes");
    file.end(&mut out).expect("it ends");
    assert_eq!(text(&out), "<\nkept\n>\n");
}

/// The sink's part: it cuts the file back and begins another one.
#[test]
fn after_a_trap_in_any_call_this_file_cannot_go_on_and_a_new_one_can() {
    let plugin = plugin();
    for function in ["write", "flush", "finish"] {
        let (mut file, mut out) = begun(&plugin);
        let poison = format!("trap-{function}");
        let mut failed = file.write(&batch(&[&poison]), &mut out);
        if failed.is_ok() {
            failed = file.flush(&mut out);
        }
        if failed.is_ok() {
            failed = file.end(&mut out);
        }
        let error = failed.expect_err(function).to_string();
        assert!(error.starts_with("serializer a1.serializer.p: trapped"), "{error}");
        assert!(error.contains(&format!("trap in {function}")), "{error}");
        file.discard();
        let error = file.write(&batch(&["x"]), &mut out).expect_err("the encoder is gone").to_string();
        assert!(error.contains("its instance was discarded"), "{error}");

        let (mut file, mut out) = begun(&plugin);
        file.write(&batch(&["x"]), &mut out).expect("a new encoder writes");
        file.end(&mut out).expect("it ends");
        assert_eq!(text(&out), "<\nx\n>\n");
    }
}

#[test]
fn an_encoder_that_cannot_discard_does_not_go_on() {
    let (mut file, mut out) = begun(&plugin());
    file.write(&batch(&["trap-discard"]), &mut out).expect("it writes");
    file.discard();
    file.write(&batch(&["x"]), &mut out).expect_err("it may hold events that come again");
}

#[test]
fn its_own_errors_leave_the_encoder_in_use() {
    let (mut file, mut out) = begun(&plugin());
    for (body, said) in [("invalid", "it is invalid"), ("retry", "not now")] {
        let error = file.write(&batch(&[body]), &mut out).expect_err(body).to_string();
        assert!(error.contains(said), "{error}");
        file.discard();
    }
    file.write(&batch(&["x"]), &mut out).expect("it writes");
    file.end(&mut out).expect("it ends");
    assert_eq!(text(&out), "<\nx\n>\n");
}

#[test]
fn too_much_output_and_too_much_time_are_named() {
    let mut spec = spec(Kind::Serializer, &[]);
    spec.limits = Limits { output_bytes_max: 1000, ..spec.limits };
    let plugin = SerializerPlugin::new(host(), spec);
    let (mut file, mut out) = begun(&plugin);
    let error = file.write(&batch(&["large"]), &mut out).expect_err("too large").to_string();
    assert!(
        error.contains("limits.outputBytesMax: the answer has 1048576 bytes or more, 1000 are"),
        "{error}"
    );
    let (mut file, mut out) = begun(&plugin);
    let error = file.write(&batch(&["loop"]), &mut out).expect_err("too long").to_string();
    assert!(error.contains("limits.batchTimeMsMax: 500 ms are over"), "{error}");
    assert_eq!(plugin.plugin().clone().status().discards, 2);
}

#[test]
fn stop_means_that_nothing_is_written_any_more() {
    let plugin = SerializerPlugin::new(host(), on_error(spec(Kind::Serializer, &[]), OnError::Stop));
    let (mut file, mut out) = begun(&plugin);
    file.write(&batch(&["invalid"]), &mut out).expect_err("invalid");
    let error = plugin.create().begin(&mut out).expect_err("stopped").to_string();
    assert!(error.contains("stopped (onError = stop)"), "{error}");
}

#[tokio::test]
async fn a_refused_option_is_named() {
    let plugin = SerializerPlugin::new(host(), spec(Kind::Serializer, &[("style", "columns")]));
    match &*plugin.load().await.expect_err("no such style") {
        LoadError::Config { key, message } => {
            assert_eq!(
                (key.as_deref(), message.as_str()),
                (Some("style"), "`columns` is no style, `lines` is")
            );
        }
        other => panic!("{other}"),
    }
}
