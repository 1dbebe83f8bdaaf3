//! Frames over pipes, split as they come.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use proptest::prelude::*;
use tokio::io::{AsyncWriteExt, duplex};

use super::*;

fn framed(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as i32).to_be_bytes()[..], payload].concat()
}
async fn all(bytes_max: usize, input: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let (mut ours, mut theirs) = duplex(64 * 1024);
    let mut frames = Frames::new(FrameLimits::new(bytes_max));
    let sending = async {
        for piece in input.chunks(piece.max(1)) {
            if theirs.write_all(piece).await.is_err() {
                break;
            }
        }
        drop(theirs);
    };
    let receiving = async {
        let mut seen = Vec::new();
        loop {
            match frames.has_begun(&mut ours).await {
                Ok(false) => return (seen, None),
                Ok(true) => {}
                Err(error) => return (seen, Some(error)),
            }
            match frames.next(&mut ours).await {
                Ok(frame) => seen.push(frame.bytes.to_vec()),
                Err(error) => {
                    drop(ours);
                    return (seen, Some(error));
                }
            }
        }
    };
    tokio::join!(sending, receiving).1
}
fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(future)
}

proptest! {
    #[test]
    fn frames_come_whole_however_they_are_split(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..30_000), 0..5),
        piece in 1usize..50_000,
    ) {
        let input: Vec<u8> = payloads.iter().flat_map(|payload| framed(payload)).collect();
        let (seen, error) = wait(all(1 << 20, &input, piece));
        prop_assert!(error.is_none());
        prop_assert_eq!(seen, payloads);
    }
}

#[test]
fn what_cannot_be_a_frame_ends_the_connection_and_says_why() {
    let cases: [(&[u8], &str); 7] = [
        (b"\0\0\0\0", "claims 0 bytes"),
        (b"\xff\xff\xff\xff", "claims -1 bytes"),
        (b"\0\x10\0\x01", "claims 1048577 bytes; the limit is 1048576"),
        (b"\x80\x01\0\x01\0\0\0\x06append", "Thrift without frames"),
        (b"\x16\x03\x01\x02\0", "`ssl` is not set here"),
        (b"GET / HTTP/1.1\r\n\r\n", "this is HTTP"),
        (b"\0\0\0\x05abc", "closed within a frame"),
    ];
    for (input, words) in cases {
        let (seen, error) = wait(all(1 << 20, &[&framed(b"first")[..], input].concat(), 7));
        assert_eq!(seen, [b"first"]);
        let error = error.expect("refused").to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_claim_takes_no_memory_before_its_share_is_there() {
    wait(async {
        let limits = FrameLimits::new(BUDGET_BYTES);
        let everything = limits.share(BUDGET_BYTES).await;
        let (mut ours, mut theirs) = duplex(1024);
        theirs.write_all(&(100_000_000i32).to_be_bytes()).await.expect("written");
        let mut frames = Frames::new(limits.clone());
        {
            let mut next = pin!(frames.next(&mut ours));
            let pending = poll_fn(|context| Poll::Ready(next.as_mut().poll(context).is_pending())).await;
            assert!(pending, "it waits for the other's share");
        }
        assert!(frames.buffer.capacity() <= FREE_BYTES, "{}", frames.buffer.capacity());
        // Small frames of others are served meanwhile.
        let (mut ours, mut theirs) = duplex(1024);
        theirs.write_all(&framed(b"small")).await.expect("written");
        let frame = Frames::new(limits).next(&mut ours).await.expect("a frame");
        assert_eq!(&frame.bytes[..], b"small");
        drop(everything);
    });
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_dribbles_is_given_up() {
    let (mut ours, mut theirs) = duplex(1024);
    let dribble = tokio::spawn(async move {
        theirs.write_all(&[0, 0, 1, 0]).await.expect("written");
        // The clock of the test goes on by itself when all wait.
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        while theirs.write_all(b"x").await.is_ok() {
            seconds.tick().await;
        }
    });
    let since = Instant::now();
    let mut frames = Frames::new(FrameLimits::new(1 << 20));
    assert!(frames.has_begun(&mut ours).await.expect("begun"));
    assert!(matches!(frames.next(&mut ours).await, Err(FrameError::TooSlow)));
    assert_eq!(since.elapsed().as_secs(), FRAME_WITHIN.as_secs());
    drop(ours);
    dribble.await.expect("it ends");
}

#[test]
fn a_silent_connection_keeps_no_large_buffer() {
    wait(async {
        let (mut ours, mut theirs) = duplex(1 << 20);
        theirs.write_all(&framed(&[7; 500_000])).await.expect("written");
        let mut frames = Frames::new(FrameLimits::new(1 << 20));
        let frame = frames.next(&mut ours).await.expect("a frame");
        assert_eq!((frame.bytes.len(), frames.buffer.capacity()), (500_000, 0));
    });
}
