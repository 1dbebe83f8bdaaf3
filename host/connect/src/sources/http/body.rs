//! The body of a request: whole, unpacked, within limits of size and time.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_ENCODING, HeaderMap};

use super::answer::Refused;

/// Memory for a body is taken for what has come, and for this much of what is only promised.
const AHEAD_BYTES_MAX: usize = 256 * 1024;
/// Unpacking goes on in steps of this size, after each of which the limits are looked at.
const STEP_BYTES: usize = 64 * 1024;
/// Most that a zstd stream may want to look back: what RFC 9659 allows in HTTP, 8 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// How slow a sender may be at least, from when on it is looked at.
const RATE_AFTER: Duration = Duration::from_secs(30);
const RATE_MIN: u64 = 100;

/// What bodies may be.
#[derive(Clone, Debug)]
pub(in crate::sources) struct BodyLimits {
    /// One body, packed and unpacked.
    pub bytes_max: usize,
    /// How long nothing may come.
    pub idle_timeout: Duration,
    /// Bytes per second at least.
    pub rate_min: u64,
    /// All bodies under way.
    pub room: Arc<Room>,
}

/// What all bodies of a source may take together.
#[derive(Debug)]
pub(in crate::sources) struct Room {
    bytes_max: usize,
    taken: AtomicUsize,
}

impl Room {
    pub(in crate::sources) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, taken: AtomicUsize::new(0) }
    }
}

/// A body's part of the room, until its request is answered.
#[derive(Debug)]
pub(in crate::sources) struct Share {
    room: Arc<Room>,
    bytes: usize,
}

impl Share {
    pub(in crate::sources) fn of(room: &Arc<Room>) -> Self {
        Self { room: room.clone(), bytes: 0 }
    }
    /// Makes it at least so large.
    fn grow(&mut self, bytes: usize) -> Result<(), Refused> {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return Ok(());
        }
        if self.room.taken.fetch_add(more, Relaxed) + more > self.room.bytes_max {
            self.room.taken.fetch_sub(more, Relaxed);
            return Err(Refused::NoRoom { bytes_max: self.room.bytes_max });
        }
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Relaxed);
    }
}

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Gzip,
    Deflate,
    Zstd,
}

/// Reads the whole body, as its sender meant it.
pub(in crate::sources) async fn read(
    headers: &HeaderMap,
    body: Incoming,
    limits: &BodyLimits,
    share: &mut Share,
) -> Result<Bytes, Refused> {
    let packing = packing(headers)?;
    let packed = collect(body, limits, share).await?;
    let Some(packing) = packing else { return Ok(packed) };
    let bytes_max = limits.bytes_max;
    let mut own = Share::of(&share.room);
    // A small body can become a large one, which takes longer than other tasks should wait.
    let unpacking = tokio::task::spawn_blocking(move || {
        let unpacked = unpack(packing, &packed, bytes_max, &mut own);
        unpacked.map(|bytes| (bytes, own))
    });
    let (bytes, mut own) = unpacking.await.map_err(|error| Refused::Internal(error.to_string()))??;
    share.bytes += std::mem::take(&mut own.bytes);
    Ok(bytes)
}

fn packing(headers: &HeaderMap) -> Result<Option<Packing>, Refused> {
    let mut found = None;
    for value in headers.get_all(CONTENT_ENCODING) {
        let text = value.to_str().unwrap_or("?");
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let packing = match name.to_ascii_lowercase().as_str() {
                "identity" => continue,
                "gzip" | "x-gzip" => Packing::Gzip,
                "deflate" => Packing::Deflate,
                "zstd" => Packing::Zstd,
                _ => return Err(Refused::Encoding(name.to_owned())),
            };
            if found.replace(packing).is_some() {
                return Err(Refused::Encoding(text.to_owned()));
            }
        }
    }
    Ok(found)
}

async fn collect(mut body: Incoming, limits: &BodyLimits, share: &mut Share) -> Result<Bytes, Refused> {
    let promised = body.size_hint().exact();
    let too_large = Refused::TooLarge { bytes_max: limits.bytes_max };
    if promised.is_some_and(|bytes| bytes > limits.bytes_max as u64) {
        return Err(too_large);
    }
    let since = Instant::now();
    let mut pieces = Pieces::default();
    loop {
        let Ok(frame) = tokio::time::timeout(limits.idle_timeout, body.frame()).await else {
            return Err(Refused::TooSlow);
        };
        let piece = match frame {
            None => return Ok(pieces.join()),
            Some(Err(error)) => return Err(Refused::Broken(error.to_string())),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(piece) => piece,
                // Trailers.
                Err(_) => continue,
            },
        };
        let bytes = pieces.bytes + piece.len();
        if bytes > limits.bytes_max {
            return Err(too_large);
        }
        if bytes == piece.len() && promised == Some(bytes as u64) {
            share.grow(bytes)?;
            return Ok(piece);
        }
        pieces.push(&piece, promised.map(|all| all as usize), share)?;
        if is_too_slow(bytes, since.elapsed(), limits.rate_min) {
            return Err(Refused::TooSlow);
        }
    }
}

/// What has come of a body. It never moves before it is whole: a buffer that grew would leave its former places to
/// the allocator, which gives them back late, so that many unfinished bodies took several times their bytes.
#[derive(Default)]
struct Pieces {
    list: Vec<BytesMut>,
    bytes: usize,
    capacity: usize,
}

impl Pieces {
    /// Adds what came, to places that `share` pays for.
    fn push(&mut self, mut more: &[u8], promised: Option<usize>, share: &mut Share) -> Result<(), Refused> {
        if let Some(last) = self.list.last_mut() {
            let (fits, rest) = more.split_at(more.len().min(last.capacity() - last.len()));
            last.extend_from_slice(fits);
            self.bytes += fits.len();
            more = rest;
        }
        if more.is_empty() {
            return Ok(());
        }
        // As much again as there is, like a buffer that doubles, or what is still to come.
        let expected = promised.map_or(self.bytes + more.len(), |all| all.saturating_sub(self.bytes));
        let size = expected.min(AHEAD_BYTES_MAX).max(more.len());
        share.grow(self.capacity + size)?;
        let mut piece = BytesMut::with_capacity(size);
        piece.extend_from_slice(more);
        self.capacity += size;
        self.bytes += more.len();
        self.list.push(piece);
        Ok(())
    }

    /// The whole. Its own place is beyond the room for as long as this takes, once for each thread at most.
    fn join(mut self) -> Bytes {
        if self.list.len() <= 1 {
            return self.list.pop().unwrap_or_default().freeze();
        }
        let mut whole = BytesMut::with_capacity(self.bytes);
        for piece in self.list {
            whole.extend_from_slice(&piece);
        }
        whole.freeze()
    }
}

fn is_too_slow(bytes: usize, elapsed: Duration, rate_min: u64) -> bool {
    elapsed > RATE_AFTER && (bytes as u64) < rate_min.max(RATE_MIN).saturating_mul(elapsed.as_secs())
}

fn unpack(packing: Packing, packed: &[u8], bytes_max: usize, share: &mut Share) -> Result<Bytes, Refused> {
    let malformed = |error: std::io::Error| Refused::Packing(error.to_string());
    match packing {
        Packing::Gzip => drain(flate2::read::MultiGzDecoder::new(packed), bytes_max, share),
        // The name stands for zlib; some senders leave zlib's head away.
        Packing::Deflate if is_zlib(packed) => {
            drain(flate2::read::ZlibDecoder::new(packed), bytes_max, share)
        }
        Packing::Deflate => drain(flate2::read::DeflateDecoder::new(packed), bytes_max, share),
        Packing::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(malformed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(malformed)?;
            drain(decoder, bytes_max, share)
        }
    }
}

fn is_zlib(packed: &[u8]) -> bool {
    matches!(packed, [head, flags, ..] if head & 0x0f == 8 && u16::from_be_bytes([*head, *flags]) % 31 == 0)
}

fn drain(mut decoder: impl Read, bytes_max: usize, share: &mut Share) -> Result<Bytes, Refused> {
    let mut whole = Vec::new();
    loop {
        if whole.capacity() - whole.len() < STEP_BYTES {
            let wanted = (whole.len() * 2).max(whole.len() + STEP_BYTES);
            share.grow(wanted)?;
            whole.reserve_exact(wanted - whole.len());
        }
        let step = (&mut decoder).take(STEP_BYTES as u64).read_to_end(&mut whole);
        match step {
            Ok(0) => return Ok(whole.into()),
            Ok(_) if whole.len() > bytes_max => return Err(Refused::TooLarge { bytes_max }),
            Ok(_) => {}
            Err(error) => return Err(Refused::Packing(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit_and_gives_its_room_back() {
        let bomb = zlib(&vec![0; 10 << 20]);
        let room = Arc::new(Room::new(64 << 20));
        let mut share = Share::of(&room);
        let refused = unpack(Packing::Deflate, &bomb, 1 << 20, &mut share).expect_err("too large");
        assert!(matches!(refused, Refused::TooLarge { .. }), "{refused:?}");
        assert!(share.bytes < 4 << 20, "{}", share.bytes);
        drop(share);
        assert_eq!(room.taken.load(Relaxed), 0);
    }

    #[test]
    fn bodies_beyond_the_common_room_are_refused() {
        let room = Arc::new(Room::new(1 << 20));
        let mut share = Share::of(&room);
        let packed = zlib(&vec![0; 10 << 20]);
        let refused = unpack(Packing::Deflate, &packed, 100 << 20, &mut share).expect_err("no room");
        assert!(matches!(refused, Refused::NoRoom { .. }), "{refused:?}");
    }

    #[test]
    fn every_packing_is_undone_and_garbage_is_named() {
        let text = "the same again and ".repeat(1000).into_bytes();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&text).expect("memory");
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        raw.write_all(&text).expect("memory");
        let packed = [
            (Packing::Gzip, gzip.finish().expect("memory")),
            (Packing::Deflate, zlib(&text)),
            (Packing::Deflate, raw.finish().expect("memory")),
            (Packing::Zstd, zstd::encode_all(&text[..], 1).expect("memory")),
        ];
        let room = Arc::new(Room::new(1 << 30));
        for (packing, packed) in packed {
            let read = unpack(packing, &packed, 1 << 20, &mut Share::of(&room)).expect("unpacked");
            assert_eq!(read, text, "{packing:?}");
            let cut = unpack(packing, &packed[..packed.len() / 2], 1 << 20, &mut Share::of(&room));
            assert!(matches!(cut, Err(Refused::Packing(_))), "{packing:?}: {cut:?}");
        }
        let garbage = unpack(Packing::Gzip, b"no gzip", 1 << 20, &mut Share::of(&room));
        assert!(matches!(garbage, Err(Refused::Packing(_))), "{garbage:?}");
    }

    #[test]
    fn a_body_in_pieces_is_the_same_body_and_pays_for_its_places() {
        let text: Vec<u8> = (0..700_000u32).map(|i| (i % 251) as u8).collect();
        for promised in [None, Some(text.len()), Some(10), Some(usize::MAX)] {
            for step in [1000, 64 << 10, 300 << 10] {
                let room = Arc::new(Room::new(2 << 20));
                let mut share = Share::of(&room);
                let mut pieces = Pieces::default();
                for piece in text.chunks(step) {
                    pieces.push(piece, promised, &mut share).expect("room");
                    let places: usize = pieces.list.iter().map(BytesMut::capacity).sum();
                    assert!(places <= share.bytes, "{places} of {}", share.bytes);
                    assert!(
                        places <= pieces.bytes * 2 || promised.is_some(),
                        "{places} for {}",
                        pieces.bytes
                    );
                    assert!(places <= pieces.bytes + AHEAD_BYTES_MAX, "{places} for {}", pieces.bytes);
                }
                assert_eq!(pieces.join(), text, "{promised:?}, steps of {step}");
            }
        }
    }

    #[test]
    fn one_packing_is_known_and_others_are_named() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, hyper::header::HeaderValue::from_static(text));
            packing(&headers)
        };
        assert_eq!(of("GZIP").expect("known"), Some(Packing::Gzip));
        assert_eq!(of("identity").expect("known"), None);
        assert!(matches!(of("br"), Err(Refused::Encoding(name)) if name == "br"));
        assert!(matches!(of("gzip, gzip"), Err(Refused::Encoding(_))));
    }

    #[test]
    fn a_drip_is_too_slow_and_a_slow_line_is_not() {
        assert!(!is_too_slow(1, Duration::from_secs(29), 0));
        assert!(is_too_slow(60, Duration::from_secs(60), 0));
        assert!(!is_too_slow(60_000, Duration::from_secs(60), 0));
        assert!(is_too_slow(60_000, Duration::from_secs(60), 2000));
    }
}
