//! What a line costs on the way exec → channel → file. Not a test of truth: run it by hand, in release.
//!
//! `cargo test --release -p flumen-connect --test source_exec_speed -- --ignored --nocapture`

#[path = "source_agent/mod.rs"]
mod agent;

use std::io::Write;
use std::time::Instant;

use agent::Agent;
use flumen_channel::Channel;

/// User and system time of this process in seconds, without its children.
fn cpu_s() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("proc");
    let after = stat.rsplit(')').next().expect("a name in parentheses");
    let ticks: Vec<f64> =
        after.split_whitespace().skip(11).take(2).map(|t| t.parse().expect("ticks")).collect();
    (ticks[0] / 100.0, ticks[1] / 100.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, half a minute long"]
async fn user_time_per_line() {
    const LINES: usize = 5_000_000;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("in");
    let line = [vec![b'x'; 199], b"\n".to_vec()].concat();
    std::fs::write(&path, line.repeat(LINES)).expect("written");
    let command = format!("cat {}", path.display());
    for round in 0..3 {
        let (began, (user, system)) = (Instant::now(), cpu_s());
        let mut agent = Agent::start("exec", 10_000, &[("command", &command)]);
        let mut out = std::fs::File::create(dir.path().join("out")).expect("created");
        let (mut seen, mut batches) = (0, 0);
        while seen < LINES {
            let take = agent.channel.take(10_000).await.expect("memory does not fail");
            for batch in take.batches() {
                seen += batch.len();
                batches += 1;
                out.write_all(batch.as_lines().expect("lines")).expect("written");
            }
            take.commit(&mut || ()).await.expect("memory does not fail");
        }
        agent.end().await;
        let (user_end, system_end) = cpu_s();
        let per_line = |s: f64| s * 1e9 / LINES as f64;
        println!(
            "round {round}: {:.0} ns wall, {:.0} ns user, {:.0} ns system per line; {} lines per batch",
            per_line(began.elapsed().as_secs_f64()),
            per_line(user_end - user),
            per_line(system_end - system),
            LINES / batches
        );
    }
}
