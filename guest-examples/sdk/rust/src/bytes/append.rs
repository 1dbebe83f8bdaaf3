//! Appending short texts.

/// Appends bytes to a buffer, as `extend_from_slice` does. In WebAssembly that is a call of the host for each text,
/// however short (`memory.copy` with a length that is not known when it is compiled); this copies those of up to 512
/// bytes in pieces.
#[inline]
pub fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.len() {
        _ if cfg!(not(target_arch = "wasm32")) => out.extend_from_slice(bytes),
        0..4 => bytes.iter().take(3).for_each(|byte| out.push(*byte)),
        4..8 => pieces::<4>(out, bytes),
        8..16 => pieces::<8>(out, bytes),
        16..64 => pieces::<16>(out, bytes),
        64..=512 => pieces::<64>(out, bytes),
        _ => out.extend_from_slice(bytes),
    }
}

/// In pieces of `N` bytes, of at least as many; the last one overlaps with what is there already.
#[inline(always)]
fn pieces<const N: usize>(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len());
    let (blocks, rest) = bytes.as_chunks::<N>();
    for block in blocks {
        out.extend_from_slice(block);
    }
    if let Some(last) = bytes.last_chunk::<N>().filter(|_| !rest.is_empty()) {
        out.truncate(out.len() + rest.len() - N);
        out.extend_from_slice(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_come_behind_what_is_there() {
        let text: Vec<u8> = (0..700).map(|n| (n % 251) as u8).collect();
        for length in 0..=700 {
            let mut out = b"before".to_vec();
            append(&mut out, &text[..length]);
            assert_eq!(out, [b"before", &text[..length]].concat());
        }
        for length in 64..=512 {
            let mut out = b"before".to_vec();
            pieces::<64>(&mut out, &text[..length]);
            assert_eq!(out, [b"before", &text[..length]].concat());
        }
    }
}
