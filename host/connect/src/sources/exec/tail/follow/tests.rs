//! A position under test without a `tail`.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use super::super::StartAt;
use super::*;

/// A file with a `Follow` on it, and `tail` played by the test.
struct Scene {
    _dir: tempfile::TempDir,
    path: PathBuf,
    follow: Follow,
}

impl Scene {
    fn new(content: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("f");
        std::fs::write(&path, content).expect("written");
        let words = TailWords {
            program: "tail".to_owned(),
            start: StartAt::LastLines(1),
            follow: vec!["-F".to_owned()],
            file: path.clone(),
        };
        Self { _dir: dir, path, follow: Follow::new(words) }
    }
    fn append(&self, text: &str) {
        use std::io::Write;
        let file = File::options().append(true).open(&self.path);
        file.and_then(|mut f| f.write_all(text.as_bytes())).expect("written");
    }
    fn rotate(&self, content: &str) {
        std::fs::rename(&self.path, self.path.with_extension("1")).expect("renamed");
        std::fs::write(&self.path, content).expect("written");
    }
    /// Flumen is stopped, and started again.
    fn restart_flumen(&mut self) {
        let saved = Saved::At(Position::of(self.follow.place().as_ref(), &self.path));
        self.follow = Follow::after(self.follow.words.clone(), saved);
    }
    /// What is read from the old file, and the byte at which `tail` starts.
    fn begin(&mut self) -> (String, String) {
        let Begin::With { rests, argv } = self.follow.begin().expect("readable") else {
            panic!("not followed")
        };
        let mut rest = String::new();
        for place in rests {
            let mut file = place.reader().expect("open");
            file.read_to_string(&mut rest).expect("readable");
        }
        (rest, argv[2].clone())
    }
    fn starts_at(&mut self, offset: &str) {
        assert_eq!(self.begin(), (String::new(), offset.to_owned()));
    }
    fn prints(&mut self, chunk: &str) {
        assert_eq!(self.follow.advance(chunk.as_bytes()), Verdict::Good);
    }
}

#[test]
fn the_position_follows_the_output() {
    let mut scene = Scene::new("one\ntwo\n");
    scene.starts_at("+5");
    scene.prints("two\n");
    scene.append("three\n");
    scene.prints("thr");
    scene.starts_at("+12");
}

#[test]
fn a_file_renamed_before_tail_has_opened_it_makes_tail_start_again() {
    let mut scene = Scene::new("one\ntwo\n");
    scene.starts_at("+5");
    scene.rotate("new 1\nnew 2\n");
    assert_eq!(scene.follow.advance(b"1\nnew 2\n"), Verdict::LeftOut);
    assert_eq!(scene.begin(), ("two\n".to_owned(), "+1".to_owned()));
    scene.prints("new 1\nnew 2\n");
    scene.starts_at("+13");
}

#[test]
fn a_chunk_over_the_border_of_two_files_is_taken_apart() {
    let mut scene = Scene::new("one\n");
    scene.starts_at("+1");
    scene.prints("one\n");
    scene.append("two\n");
    scene.rotate("three\nfour\n");
    scene.prints("two\nthree\n");
    scene.starts_at("+7");
}

#[test]
fn lines_that_tail_left_behind_in_the_old_file_come_before_those_of_the_new_one() {
    let mut scene = Scene::new("one\n");
    scene.starts_at("+1");
    scene.prints("one\n");
    // What is left behind starts like the new file: only the files' sizes tell that anything is.
    scene.append("same\nlate\n");
    scene.rotate("same\nnew\n");
    assert_eq!(scene.follow.advance(b"same\nnew\n"), Verdict::LeftOut);
    assert_eq!(scene.begin(), ("same\nlate\n".to_owned(), "+1".to_owned()));
    scene.prints("same\nnew\n");
    scene.starts_at("+10");
}

#[test]
fn a_file_cut_to_nothing_starts_again() {
    let mut scene = Scene::new("one\ntwo\n");
    scene.starts_at("+5");
    scene.prints("two\n");
    std::fs::write(&scene.path, "three\n").expect("written");
    scene.prints("three\n");
    scene.starts_at("+7");
    std::fs::write(&scene.path, "4\n").expect("written");
    scene.starts_at("+1");
}

#[test]
fn a_file_written_over_while_tail_was_dead_is_read_from_its_start() {
    let mut scene = Scene::new("one\ntwo\n");
    scene.starts_at("+5");
    scene.prints("two\n");
    std::fs::write(&scene.path, "other text of more length\n").expect("written");
    scene.starts_at("+1");
}

#[test]
fn a_tail_that_waits_in_the_wrong_file_is_found_out() {
    let mut scene = Scene::new("one\ntwo\n");
    scene.starts_at("+5");
    scene.prints("two\n");
    assert!(!scene.follow.is_overdue() && !scene.follow.is_overdue(), "all is read");
    scene.rotate("new\n");
    assert!(!scene.follow.is_overdue(), "it may be about to come");
    assert!(scene.follow.is_overdue());
    scene.starts_at("+1");
    scene.prints("new\n");
    assert!(!scene.follow.is_overdue() && !scene.follow.is_overdue());
}

#[test]
fn an_unknown_position_is_never_a_loss() {
    let mut scene = Scene::new("one\n");
    scene.starts_at("+1");
    scene.prints("one\n");
    scene.prints("from nowhere\n");
    scene.prints("more\n");
    scene.starts_at("+1");
    scene.prints("one\n");
    scene.starts_at("+5");
}

#[test]
fn what_is_no_regular_file_runs_as_written() {
    let mut scene = Scene::new("");
    std::fs::remove_file(&scene.path).expect("removed");
    std::fs::create_dir(&scene.path).expect("created");
    assert!(matches!(scene.follow.begin(), Ok(Begin::AsWritten)));
    assert!(!scene.follow.is_tracked());
}

#[test]
fn a_restart_of_flumen_goes_on_at_the_next_byte() {
    let mut scene = Scene::new("one\ntwo\n");
    scene.starts_at("+5");
    scene.prints("two\n");
    scene.append("three\n");
    scene.restart_flumen();
    scene.starts_at("+9");
    scene.prints("three\n");
    scene.restart_flumen();
    std::fs::write(&scene.path, "of the same length or longer\n").expect("written");
    scene.starts_at("+1");
}

#[test]
fn the_line_feed_of_a_crlf_that_was_read_in_two_parts_is_no_line() {
    let mut scene = Scene::new("one\r");
    scene.starts_at("+1");
    scene.prints("one\r");
    scene.restart_flumen();
    scene.append("\ntwo\r\n");
    scene.starts_at("+6");
}

#[test]
fn a_file_that_was_not_there_when_flumen_stopped_is_read_from_its_start() {
    let mut scene = Scene::new("");
    std::fs::remove_file(&scene.path).expect("removed");
    scene.starts_at("+1");
    scene.restart_flumen();
    std::fs::write(&scene.path, "one\ntwo\n").expect("written");
    scene.starts_at("+1");
}

#[test]
fn a_position_of_another_file_is_not_used() {
    let mut scene = Scene::new("one\n");
    let other = scene.path.with_extension("other");
    std::fs::write(&other, "1\n2\n").expect("written");
    let held = Arc::new(Held::open(&other).expect("a file"));
    let position = Position::of(Some(&Place { held, at: 2 }), &other);
    scene.follow = Follow::after(scene.follow.words.clone(), Saved::At(position));
    scene.starts_at("+1");
}
