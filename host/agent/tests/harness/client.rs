//! A netcat client.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpStream;

use super::PATIENCE;

/// A connection that sends lines and reads answers.
pub struct Client {
    pub stream: TcpStream,
    answers: BufReader<TcpStream>,
}

impl Client {
    #[track_caller]
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        let answers = BufReader::new(stream.try_clone().expect("a second handle"));
        Self { stream, answers }
    }
    /// The next answer; `None` at the end of the connection.
    #[track_caller]
    pub fn answer(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(_) if line.ends_with('\n') => Some(line.trim_end().to_owned()),
            Ok(_) => None,
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no answer in {PATIENCE:?}"),
            Err(_) => None,
        }
    }
    /// Sends one line and gives its answer; `None` if the connection is gone.
    #[track_caller]
    pub fn say(&mut self, line: &str) -> Option<String> {
        self.stream.write_all(format!("{line}\n").as_bytes()).ok()?;
        self.answer()
    }
    /// Sends many lines at once.
    #[track_caller]
    pub fn send<S: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = S>) {
        let text: String = lines.into_iter().map(|line| format!("{}\n", line.as_ref())).collect();
        self.stream.write_all(text.as_bytes()).expect("the source reads");
    }
    /// Sends a line until it is accepted.
    #[track_caller]
    pub fn insist(&mut self, line: &str) {
        loop {
            let answer = self.say(line).expect("the connection stays");
            if answer == "OK" {
                return;
            }
            assert!(answer.starts_with("FAILED"), "{answer}");
        }
    }
}

/// Sends numbered lines until the connection ends; gives those that were answered with `OK`.
pub fn talk_until_closed(port: u16, name: &str) -> Vec<String> {
    let mut client = Client::connect(port);
    let mut accepted = Vec::new();
    for n in 0.. {
        let line = format!("{name}-{n}");
        match client.say(&line) {
            Some(answer) if answer == "OK" => accepted.push(line),
            Some(_) => {}
            None => break,
        }
    }
    accepted
}
