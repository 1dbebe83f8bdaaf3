//! The server, as a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

/// Killed when dropped.
pub struct Server {
    pub port: u16,
    child: Child,
    seen: Receiver<String>,
}

impl Server {
    /// Starts it; its answers follow the steps, of which the last one stays.
    pub fn start(port: u16, steps: &[&str]) -> Self {
        Self::spawn(port, "-", steps)
    }
    pub fn with_tls(certificate: &str, steps: &[&str]) -> Self {
        Self::spawn(0, certificate, steps)
    }
    fn spawn(port: u16, certificate: &str, steps: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sink_http/server.py");
        let mut child = Command::new("python3")
            .arg(script)
            .args([&port.to_string(), certificate])
            .args(steps)
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        let (send, seen) = channel();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let port: String = seen.recv_timeout(PATIENCE).expect("it listens");
        Self { port: port.parse().expect("a port"), child, seen }
    }
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
    /// The next requests.
    pub fn requests(&mut self, count: usize) -> Vec<Value> {
        let next = |_| self.seen.recv_timeout(PATIENCE).expect("a request");
        (0..count).map(next).map(|line| serde_json::from_str(&line).expect("JSON")).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
