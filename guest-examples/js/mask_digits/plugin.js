// Masks digits: see guest-examples/README.md for what it does, in every language.
import { ConfigError, countBytes, encode, find, interceptor, replaceBytes } from "../../sdk/js/flumen.js";

const DIGITS = [48, 49, 50, 51, 52, 53, 54, 55, 56, 57];

export const intercept = interceptor((options) => {
  const char = options.text("char", "#"), header = options.text("header", null), drop = options.text("drop", null);
  if (!/^[\x00-\x7f]$/.test(char)) throw new ConfigError("char", `\`${char}\` is not one ASCII character`);
  if (header === "") throw new ConfigError("header", "a header's name cannot be empty");
  if (drop === "") throw new ConfigError("drop", "the empty text is in every body");
  const needle = drop === null ? null : encode(drop);

  function dropMatching(batch, { data, spans }) {
    for (let row = 0; row < batch.count; row++) {
      if (find(data.subarray(spans[2 * row], spans[2 * row + 1]), needle) >= 0) batch.drop(row);
    }
  }

  function maskHeader(batch, counts) {
    const column = batch.header(header);
    if (column === null) return;
    column.values().forEach((value, i) => {
      const row = column.rows === null ? i : column.rows[i];
      const masked = value.replace(/[0-9]/g, () => (counts[row]++, char));
      batch.setHeaderOf(row, header, masked);
    });
  }

  return {
    needs: { body: true, headers: header === null ? null : [header] },
    intercept(batch) {
      const { data, spans } = batch.bodies;
      if (needle !== null) dropMatching(batch, batch.bodies);
      const counts = countBytes(batch.bodies, DIGITS);
      replaceBytes(data, DIGITS, char.charCodeAt(0)); // The bytes are this call's own: they go back as they lie.
      batch.setBodies(data, spans);
      if (header !== null) maskHeader(batch, counts);
      batch.setHeader("masked", Array.from(counts, String));
    },
  };
});
