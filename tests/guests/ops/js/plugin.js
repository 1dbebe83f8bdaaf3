// One operation a run, for the table of guest-examples/LANGUAGES.md: option `op` is pass, drop, header or mask.
import { ConfigError, encode, find, interceptor, replaceBytes } from "../../../../guest-examples/sdk/js/flumen.js";

const DIGITS = [48, 49, 50, 51, 52, 53, 54, 55, 56, 57], NEEDLE = encode("ERROR-7");

const OPS = {
  pass() {},
  drop(batch) {
    const { data, spans } = batch.bodies;
    for (let row = 0; row < batch.count; row++) {
      if (find(data.subarray(spans[2 * row], spans[2 * row + 1]), NEEDLE) >= 0) batch.drop(row);
    }
  },
  header(batch) { batch.setHeader("env", "prod"); },
  mask(batch) {
    replaceBytes(batch.bodies.data, DIGITS, 35);
    batch.setBodies(batch.bodies.data);
  },
};

export const intercept = interceptor((options) => {
  const op = options.text("op");
  if (!(op in OPS)) throw new ConfigError("op", `no such operation: \`${op}\``);
  return { needs: { body: op === "drop" || op === "mask" }, intercept: OPS[op] };
});
