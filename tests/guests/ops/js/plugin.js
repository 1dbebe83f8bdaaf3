// One operation a run, for the table of guest-examples/LANGUAGES.md: option `op` is pass, drop, header or mask.
// `edits` does a bit of everything that the SDK offers, one event at a time.
import {
  ConfigError, counter, decode, encode, find, gauge, interceptor, log, replaceBytes, state,
} from "../../../../guest-examples/sdk/js/flumen.js";

const DIGITS = [48, 49, 50, 51, 52, 53, 54, 55, 56, 57], NEEDLE = encode("ERROR-7");

let edits = null, level = null;

const OPS = {
  edits(batch) {
    if (batch.count === 0) return;
    const events = [...batch];
    events[0].body = "new";
    events[1].drop();
    events[2].reject("bad");
    events[3].set("a", events[3].get("host"));
    batch.removeHeader("host");
    batch.setHeader("seen", "yes");
    events[4].set("seen", "särskild");
    batch.add("added", { new: "1" }, { after: 0 });
    state.set("k", encode("v1"));
    events[0].set("state", decode(state.get("k")) + state.keys("k").join(","));
    edits.add(2);
    level.set(0.5);
    log.info("edited", { events: batch.count });
  },
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
  if (op === "edits") {
    edits = counter("edits", { kind: "all" });
    level = gauge("level");
    return { needs: { headers: ["host"] }, intercept: OPS[op] };
  }
  return { needs: { body: op === "drop" || op === "mask" }, intercept: OPS[op] };
});
