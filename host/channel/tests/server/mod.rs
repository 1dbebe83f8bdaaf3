//! A PostgreSQL server of this test's own, by `tests/services/postgres`.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// It ends with this value, or with the process.
pub struct Server {
    pub dir: PathBuf,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl Server {
    /// A fresh server; nothing, said aloud, where there is no PostgreSQL.
    pub fn start() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/services/postgres");
        // Below /tmp: the path of a socket has at most 107 bytes, and the server's user must reach it.
        let dir = tempfile::Builder::new().prefix("flumen-pg-").tempdir_in("/tmp").expect("a folder").keep();
        let mut child = Command::new(script)
            .arg(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut server = Self { dir, input, output, child };
        match server.output.next() {
            Some(line) => assert_eq!(line.expect("text"), "ready"),
            None => {
                let status = server.child.wait().expect("ended");
                assert_eq!(status.code(), Some(77), "the server did not start");
                eprintln!("SKIPPED: no PostgreSQL here (Debian: apt-get install postgresql)");
                return None;
            }
        }
        Some(server)
    }

    /// `kill` or `start`; returns when it is done.
    #[allow(dead_code, reason = "not all tests do")]
    pub fn tell(&mut self, command: &str) {
        let input = self.input.as_mut().expect("it lives");
        writeln!(input, "{command}").expect("it listens");
        self.output.next().expect("it answers").expect("text");
    }

    /// How to reach it.
    #[allow(dead_code, reason = "not all tests do")]
    pub fn config(&self) -> tokio_postgres::Config {
        config(&self.dir)
    }
}

/// How to reach the server in a folder.
pub fn config(dir: &Path) -> tokio_postgres::Config {
    let mut config = tokio_postgres::Config::new();
    config.host_path(dir).user("flumen").password("flumen-secret").dbname("flumen");
    config
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input ends it; waiting for it keeps the folder's removal inside of the test.
        self.input = None;
        drop(self.child.wait());
    }
}
