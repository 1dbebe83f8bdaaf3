//! Files that are no plugins, or plugins that no compiler should meet.

use super::guest::Guest;
use super::room::{refusal, says};

#[tokio::test]
async fn random_bytes_are_no_plugin() {
    println!("seed 99");
    let mut random = fastrand::Rng::with_seed(99);
    for len in [0, 1, 8, 100, 10_000] {
        let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(len).collect();
        says(&refusal("random", &bytes).await, &["guest.wasm"]);
    }
}

#[tokio::test]
async fn damaged_components_are_refused_or_run() {
    println!("seed 4");
    let mut random = fastrand::Rng::with_seed(4);
    let whole = Guest::new().component();
    for _ in 0..60 {
        let mut bytes = whole.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(8..bytes.len());
            bytes[at] = random.u8(..);
        }
        // Whatever comes of it, nothing panics and the host goes on; most are refused.
        let (plugin, _folder) = super::room::plugin("damaged", &bytes, |_| {});
        let _either_way = plugin.load().await;
    }
    let (good, _folder) = super::room::plugin("after-damaged", &whole, |_| {});
    super::room::goes_on("damaged", &good).await;
}

#[tokio::test]
async fn a_truncated_component_is_refused_wherever_it_was_cut() {
    let whole = Guest::new().component();
    for len in (1..whole.len()).step_by(whole.len() / 20) {
        says(&refusal("truncated", &whole[..len]).await, &["guest.wasm"]);
    }
}

#[tokio::test]
async fn a_core_module_is_told_from_a_component() {
    says(&refusal("module", b"\0asm\x01\0\0\0").await, &["core module, not a component"]);
}

#[tokio::test]
async fn an_import_that_nothing_offers_is_named() {
    let wit = "package evil:system@1.0.0;
        interface shell {
          run: func(command: string);
        }";
    let guest = Guest::new()
        .imports(r#"(import "evil:system/shell@1.0.0" "run" (func $run (param i32 i32)))"#, wit)
        .does("(call $run (i32.const 0) (i32.const 0)) (unreachable)");
    says(&refusal("import", &guest.component()).await, &["evil:system/shell@1.0.0"]);
}

#[tokio::test]
async fn components_nested_deep_are_refused() {
    let text = format!("{}{}", "(component ".repeat(90), ")".repeat(90));
    let bytes = wat::parse_str(&text).expect("text");
    says(&refusal("nested", &bytes).await, &["nested"]);
}

#[tokio::test]
async fn a_file_of_a_hundred_megabytes_is_refused_unread() {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    bytes.resize(100 << 20, 0);
    says(&refusal("large", &bytes).await, &["guest.wasm", "67108864"]);
}

#[tokio::test]
async fn a_million_functions_are_refused_uncompiled() {
    let functions = "(func)".repeat(300_000);
    let bytes = wat::parse_str(format!("(component (core module {functions}))")).expect("text");
    let started = std::time::Instant::now();
    says(&refusal("functions", &bytes).await, &["functions"]);
    println!("refused in {:?}", started.elapsed());
}

#[tokio::test]
async fn many_memories_and_tables_are_refused() {
    let component = Guest::new().with(&"(memory 1)".repeat(10)).component();
    refusal("memories", &component).await;
    let component = Guest::new().with(&"(table 1 funcref)".repeat(100)).component();
    refusal("tables", &component).await;
}
