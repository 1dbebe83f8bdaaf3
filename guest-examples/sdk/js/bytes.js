// Bytes and text. Native methods do the walking: an interpreted step per byte would cost 100 to 300 ns each.
//
//     bytes ──toBase64──▶ atob ──▶ a string with one character for each byte ──▶ text      (all native)

const ASCII = /^[\x00-\x7f]*$/;

/** Whether every character is ASCII: then spans in bytes are spans in characters. */
export const isAscii = (text) => ASCII.test(text);

const latin1 = (bytes) => atob(bytes.toBase64());

/** The text of UTF-8 bytes; what is not UTF-8 becomes U+FFFD, one for each byte. */
export function decode(bytes) {
  const raw = latin1(bytes);
  if (isAscii(raw)) return raw;
  try {
    return decodeURIComponent(escape(raw));
  } catch {
    return raw.replace(/[\x00-\x7f]+|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[^]/g, (part) => {
      try { return decodeURIComponent(escape(part)); } catch { return "\ufffd".repeat(part.length); }
    });
  }
}

/** The UTF-8 bytes of a text; half a surrogate pair becomes U+FFFD. */
export function encode(text) {
  return Uint8Array.fromBase64(btoa(isAscii(text) ? text : unescape(encodeURIComponent(text.toWellFormed()))));
}

/** The place of `needle` (bytes, not empty) in `bytes`, or -1. */
export function find(bytes, needle, from = 0) {
  const last = bytes.length - needle.length;
  for (let at = bytes.indexOf(needle[0], from); at >= 0 && at <= last; at = bytes.indexOf(needle[0], at + 1)) {
    let i = 1;
    while (i < needle.length && bytes[at + i] === needle[i]) i++;
    if (i === needle.length) return at;
  }
  return -1;
}

/** Replaces, in place, each byte that is in `from` (a list of numbers) by `to`. Costs per byte replaced. */
export function replaceBytes(bytes, from, to) {
  for (const byte of from) {
    if (byte === to) continue;
    for (let at = bytes.indexOf(byte); at >= 0; at = bytes.indexOf(byte, at + 1)) bytes[at] = to;
  }
}

/**
 * For each item of a packed column, how many of its bytes are in `from`. Costs per byte found when the items lie in
 * order, as they do unless a plugin before this one made them otherwise.
 */
export function countBytes({ data, spans }, from) {
  const counts = new Uint32Array(spans.length / 2);
  let ordered = true;
  for (let i = 2; ordered && i < spans.length; i += 2) ordered = spans[i] >= spans[i - 1];
  if (!ordered) {
    for (let row = 0; row < counts.length; row++) {
      const item = data.subarray(spans[2 * row], spans[2 * row + 1]);
      counts[row] = countBytes({ data: item, spans: [0, item.length] }, from)[0];
    }
    return counts;
  }
  for (const byte of from) {
    let row = 0;
    for (let at = data.indexOf(byte); at >= 0; at = data.indexOf(byte, at + 1)) {
      while (row < counts.length && at >= spans[2 * row + 1]) row++;
      if (row === counts.length) break;
      if (at >= spans[2 * row]) counts[row]++;
    }
  }
  return counts;
}
