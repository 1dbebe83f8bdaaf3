//! The progress bar, on standard error, while that is a terminal.

use std::io::Write;
use std::time::{Duration, Instant};

/// Drawn so often at most.
const EVERY: Duration = Duration::from_millis(200);
/// Characters of the bar.
const WIDTH: u64 = 30;

pub(super) struct Progress {
    /// Bytes of the file; none if that is not known.
    total: Option<u64>,
    begun: Instant,
    shown: Option<Instant>,
}

impl Progress {
    /// None if nobody looks.
    pub(super) fn new(is_terminal: bool, total: Option<u64>) -> Option<Self> {
        is_terminal.then(|| Self { total, begun: Instant::now(), shown: None })
    }

    /// Draws the bar again, if it is time.
    pub(super) fn show(&mut self, bytes: u64, events: u64) {
        let is_complete = self.total.is_some_and(|total| bytes >= total);
        if !is_complete && self.shown.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        draw(&format!("\r{}\x1b[K", line(self.total, bytes, events, self.begun.elapsed())));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            draw("\n");
        }
    }
}

fn draw(text: &str) {
    // A terminal that has gone away is no reason to stop.
    let _unseen = std::io::stderr().write_all(text.as_bytes());
}

fn line(total: Option<u64>, bytes: u64, events: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate =
        format!("{events} events, {:.1} MB, {:.0} events/s", bytes as f64 / 1e6, events as f64 / seconds);
    let Some(total) = total.filter(|total| *total > 0) else { return rate };
    let done = bytes.min(total);
    let filled = (done * WIDTH / total) as usize;
    let bar: String = (0..WIDTH as usize).map(|at| if at < filled { '#' } else { '.' }).collect();
    format!("[{bar}] {:3} %  {rate}", done * 100 / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_shows_how_much_is_done() {
        let line = |total, bytes| line(total, bytes, 10, Duration::from_secs(2));
        assert_eq!(
            line(Some(1_000_000), 500_000),
            "[###############...............]  50 %  10 events, 0.5 MB, 5 events/s"
        );
        assert!(line(Some(10), 99).starts_with("[##############################] 100 %"));
        assert_eq!(line(None, 500_000), "10 events, 0.5 MB, 5 events/s");
        assert_eq!(line(Some(0), 0), "10 events, 0.0 MB, 5 events/s");
    }

    #[test]
    fn nothing_is_drawn_where_nobody_looks() {
        assert!(Progress::new(false, Some(1)).is_none());
    }
}
