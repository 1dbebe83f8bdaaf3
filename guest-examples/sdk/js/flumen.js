// Flumen plugins in JavaScript (QuickJS).
//
//     import { interceptor } from "./sdk/flumen.js";
//     export const intercept = interceptor((options) => {
//       const value = options.text("value", "prod");
//       return { needs: { body: false }, intercept(batch) { batch.setHeader("env", value); } };
//     });
//
// QuickJS interprets: a step of a loop costs about 100 ns, a native method on a whole column a few ns per event. So
// nothing here is done per event that the author did not ask for; and what walks over bytes uses `indexOf`, which is
// native: `replaceBytes`, `countBytes`, `find`. Invariants:
//
// * an option that was not asked for by the end of the configuration is an error with its key;
// * an exception is an answer, never a trap: ConfigError, Retry, Invalid, Fatal say what the host does next, any
//   other one is Invalid with the place it was raised at.
//
// The engine has no TextEncoder, TextDecoder and console: `decode`, `encode` and `log` are here.
import hostLog from "flumen:plugin/log@0.1.0";
import hostMetrics from "flumen:plugin/metrics@0.1.0";
import hostClock from "flumen:plugin/clock@0.1.0";
import hostState from "flumen:plugin/state@0.1.0";
import { Batch } from "./batch.js";

export { Batch } from "./batch.js";
export { countBytes, decode, encode, find, replaceBytes } from "./bytes.js";

// ---- errors ---------------------------------------------------------------------------------------------------

/** The configuration is wrong; `key` is the option at fault, null when it is a combination of several. */
export class ConfigError extends Error {
  constructor(key, message) { super(message); this.key = key; }
}
/** The same call may succeed later: the host gives the same input again, after a pause that grows. */
export class Retry extends Error {}
/** This input can never succeed: the host does with it what `onError` says, and goes on. */
export class Invalid extends Error {}
/** The instance is broken: the host discards it, and configures a fresh one. */
export class Fatal extends Error {}

function asAnswer(error) {
  if (error instanceof ConfigError) return { tag: "config", val: { key: error.key, message: error.message } };
  if (error instanceof Retry) return { tag: "retry", val: error.message };
  if (error instanceof Invalid) return { tag: "invalid", val: error.message };
  if (error instanceof Fatal) return { tag: "fatal", val: error.message };
  if (error instanceof InternalError) return { tag: "fatal", val: `${error}` }; // Out of memory or of stack.
  const place = error?.stack ? ` (${`${error.stack}`.trim().split("\n")[0].trim()})` : "";
  return { tag: "invalid", val: `${error}${place}` };
}

function answered(call) {
  try {
    return call();
  } catch (error) {
    throw asAnswer(error);
  }
}

// ---- options --------------------------------------------------------------------------------------------------

/** The settings `config.KEY = VALUE`. Each reader throws a ConfigError with the key. */
export class Options {
  #values; #known = [];
  constructor(pairs) { this.#values = new Map(pairs); }

  /** The text as it is written; `otherwise` when it is not there, an error when that is not given. */
  text(key, ...otherwise) {
    this.#known.push(key);
    if (this.#values.has(key)) return this.#values.get(key);
    if (otherwise.length === 0) throw new ConfigError(key, `\`${key}\` is missing`);
    return otherwise[0];
  }

  /** A whole number between `least` and `most`, both allowed. */
  integer(key, otherwise, { least = -Infinity, most = Infinity } = {}) {
    const text = otherwise === undefined ? this.text(key) : this.text(key, otherwise);
    if (typeof text !== "string") return text;
    const number = /^[+-]?[0-9]+$/.test(text) ? Number(text) : NaN;
    if (!Number.isSafeInteger(number)) throw new ConfigError(key, `\`${text}\` is not a whole number`);
    if (number < least || number > most) throw new ConfigError(key, `${number} is not between ${least} and ${most}`);
    return number;
  }

  /** `true` or `false`. */
  boolean(key, otherwise) {
    const text = otherwise === undefined ? this.text(key) : this.text(key, otherwise);
    if (typeof text !== "string") return text;
    const lower = text.toLowerCase();
    if (lower !== "true" && lower !== "false") throw new ConfigError(key, `\`${text}\` is neither \`true\` nor \`false\``);
    return lower === "true";
  }

  /** A list of words with white space between them. */
  words(key, otherwise) {
    const text = otherwise === undefined ? this.text(key) : this.text(key, otherwise);
    return typeof text === "string" ? text.split(/\s+/).filter((word) => word !== "") : text;
  }

  refuseUnknown() {
    for (const key of this.#values.keys()) {
      if (this.#known.includes(key)) continue;
      const known = this.#known.map((k) => `\`${k}\``).join(", ") || "none";
      throw new ConfigError(key, `there is no option \`${key}\`; known are: ${known}`);
    }
  }
}

// ---- what the host offers; not at the top level of a module, where there is no host yet ------------------------------

function line(level, message, fields) {
  if (hostLog.enabled(level)) hostLog.write(level, message, Object.entries(fields).map(([k, v]) => [k, String(v)]));
}

/** Lines in the agent's log: `log.info("message", { key: value })`. A level that is off costs one call. */
export const log = {
  trace: (message, fields = {}) => line("trace", message, fields),
  debug: (message, fields = {}) => line("debug", message, fields),
  info: (message, fields = {}) => line("info", message, fields),
  warn: (message, fields = {}) => line("warn", message, fields),
  error: (message, fields = {}) => line("error", message, fields),
};

/** Only ever rises. Made once, when the plugin is configured. Answers `{ add(count = 1) }`. */
export function counter(name, labels = {}) {
  const made = new hostMetrics.Counter(name, Object.entries(labels));
  return { add: (count = 1) => made.add(count) };
}

/** Whatever was set last. Answers `{ set(value) }`. */
export function gauge(name, labels = {}) {
  const made = new hostMetrics.Gauge(name, Object.entries(labels));
  return { set: (value) => made.set(value) };
}

/** `reason` is "too-large", "full" or "io". */
export class StateError extends Error {
  constructor(reason) { super(`state: ${reason}`); this.reason = reason; }
}

function stored(call) {
  try {
    return call();
  } catch (error) {
    throw typeof error === "string" ? new StateError(error) : error;
  }
}

/** The plugin's own small store, shared by its instances. Keys are text, values are Uint8Arrays. */
export const state = {
  get: (key) => stored(() => hostState.get(key)) ?? null,
  set: (key, value) => stored(() => hostState.set(key, value)),
  delete: (key) => stored(() => hostState.delete(key)),
  keys: (prefix = "", after = null, most = 1000) => stored(() => hostState.keys(prefix, after, most)),
};

export const clock = {
  /** Nanoseconds from an arbitrary start; never goes back. */
  monotonicNanos: () => hostClock.monotonicNanos(),
  /** Milliseconds since 1970, or null without `grants.clock = wall`. */
  wallMillis: () => hostClock.wallMillis() ?? null,
};

// ---- the export -----------------------------------------------------------------------------------------------

function needsOf({ body = true, headers = null } = {}) {
  if (headers === null) return { body, headers: { tag: "nothing" } };
  return { body, headers: headers === "all" ? { tag: "all" } : { tag: "only", val: headers } };
}

/**
 * An interceptor. `configure(options)` is called once and answers `{ needs: { body, headers }, intercept(batch) }`:
 * `body` defaults to true, `headers` is null (none), a list of names, or "all".
 */
export function interceptor(configure) {
  let author = null;
  return {
    configure: (pairs) => answered(() => {
      const options = new Options(pairs);
      author = configure(options);
      options.refuseUnknown();
      return needsOf(author.needs);
    }),
    intercept: (wire) => answered(() => {
      const batch = new Batch(wire);
      author.intercept(batch);
      return batch.edits();
    }),
  };
}
