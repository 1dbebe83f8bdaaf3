// The batch as authors see it, over the columns as they came in.
//
//     columns ──▶ Batch ──▶ batch.bodies         one Uint8Array and its spans       whole columns: ns per event
//                   │  └──▶ batch.header(name)   a column, cut into values when read
//                   └─────▶ for (event of batch) a view: a row number and the batch  per event: µs
//     edits are gathered by kind: a bitmap of what stays, new bodies and header values by row, whole columns as they are
import { decode, encode, isAscii } from "./bytes.js";

const ALL = { tag: "all" };

/** The items of a packed text. Spans count UTF-8 bytes; characters only where all are ASCII. */
function cutText({ data, spans }) {
  const values = new Array(spans.length / 2);
  if (isAscii(data)) {
    for (let i = 0; i < values.length; i++) values[i] = data.substring(spans[2 * i], spans[2 * i + 1]);
  } else {
    const bytes = encode(data);
    for (let i = 0; i < values.length; i++) values[i] = decode(bytes.subarray(spans[2 * i], spans[2 * i + 1]));
  }
  return values;
}

/** Bytes that `text` takes as UTF-8. */
const size = (text) => (isAscii(text) ? text.length : encode(text).length);

function packText(values) {
  const data = values.join(""), spans = new Uint32Array(2 * values.length), ascii = isAscii(data);
  for (let i = 0, at = 0; i < values.length; i++) {
    spans[2 * i] = at;
    spans[2 * i + 1] = at += ascii ? values[i].length : size(values[i]);
  }
  return { data, spans };
}

function pack(items) {
  let total = 0;
  for (const item of items) total += item.length;
  const data = new Uint8Array(total), spans = new Uint32Array(2 * items.length);
  for (let i = 0, at = 0; i < items.length; i++) {
    data.set(items[i], at);
    spans[2 * i] = at;
    spans[2 * i + 1] = at += items[i].length;
  }
  return { data, spans };
}

const bytesOf = (body) => (typeof body === "string" ? encode(body) : body);

/** A column over all rows: of one value, or of a list with one each. */
const whole = (name, value) => ({
  name,
  rows: ALL,
  values: typeof value === "string" ? { tag: "same", val: value } : { tag: "each", val: packText(value) },
});

/** One header over the batch. `same` is its value when all its rows have one, else null. */
export class Header {
  #rows; #packed; #values = null; #byRow = null; #count;
  constructor({ rows, values }, count) {
    this.#rows = rows.tag === "all" ? null : rows.val;
    this.same = values.tag === "same" ? values.val : null;
    this.#packed = values.tag === "same" ? null : values.val;
    this.#count = count;
  }

  /** The rows that have it, ascending; null: all. */
  get rows() { return this.#rows; }

  /** One value for each of `rows`. */
  values() {
    const count = this.#rows === null ? this.#count : this.#rows.length;
    this.#values ??= this.#packed === null ? new Array(count).fill(this.same) : cutText(this.#packed);
    return this.#values;
  }

  /** The value of a row, or null. */
  get(row) {
    if (this.#rows === null) return this.same ?? this.values()[row];
    if (this.#byRow === null) {
      const values = this.values();
      this.#byRow = new Map();
      for (let i = 0; i < values.length; i++) this.#byRow.set(this.#rows[i], values[i]);
    }
    return this.#byRow.get(row) ?? null;
  }
}

/** One event of a batch: a view, which edits the batch. */
export class Event {
  #batch;
  constructor(batch, row) { this.#batch = batch; this.row = row; }
  /** A view of the bytes; set it to bytes or to text. */
  get body() { return this.#batch.body(this.row); }
  set body(body) { this.#batch.setBody(this.row, body); }
  get text() { return decode(this.body); }
  /** The value of a header that `needs` asked for (or that was set before), or null. */
  get(name) { return this.#batch.headerOf(this.row, name); }
  set(name, value) { this.#batch.setHeaderOf(this.row, name, value); }
  remove(name) { this.#batch.removeHeaderOf(this.row, name); }
  /** Filters it out. */
  drop() { this.#batch.drop(this.row); }
  /** It can never be processed: `onError` says what becomes of it. */
  reject(reason) { this.#batch.reject(this.row, reason); }
}

/** The events of one call, numbered from 0. Edits take effect together, when `intercept` returns. */
export class Batch {
  #headers = new Map(); #keep = null; #bits = null; #newBodies = null; #bodyOf = new Map();
  #setAll = new Map(); #setRows = new Map(); #remove = new Map(); #rejected = []; #added = [];

  constructor({ count, bodies, headers }) {
    this.count = count;
    /** `{ data, spans }`: item i is data[spans[2 * i] .. spans[2 * i + 1]]; null when `needs` did not ask for them. */
    this.bodies = bodies ?? null;
    for (const column of headers) this.#headers.set(column.name, column);
  }

  *[Symbol.iterator]() {
    for (let row = 0; row < this.count; row++) yield new Event(this, row);
  }

  // ---- whole columns

  /** The header's column as it came in; null when no event has it (or `needs` did not ask for it). */
  header(name) {
    let header = this.#headers.get(name) ?? null;
    if (header !== null && !(header instanceof Header)) {
      header = new Header(header, this.count);
      this.#headers.set(name, header);
    }
    return header;
  }

  /** The names of the headers that came in. */
  names() { return [...this.#headers.keys()]; }

  /** Sets it on every event: one text that all have, or a list with one for each. */
  setHeader(name, value) {
    if (typeof value !== "string" && value.length !== this.count) {
      throw new RangeError(`${value.length} values of \`${name}\` for ${this.count} events`);
    }
    this.#setRows.delete(name);
    this.#setAll.set(name, value);
  }

  /** Takes it from every event. */
  removeHeader(name) {
    this.#setAll.delete(name);
    this.#setRows.delete(name);
    this.#remove.set(name, null);
  }

  /** All bodies at once. Without `spans` the old ones stay: for changes that keep every length. */
  setBodies(data, spans = this.bodies.spans) {
    if (spans === this.bodies?.spans && data.length !== this.bodies.data.length) {
      throw new RangeError(`${data.length} bytes in place of ${this.bodies.data.length}: give spans`);
    }
    if (spans.length !== 2 * this.count) {
      throw new RangeError(`${spans.length} ends of spans for ${this.count} events`);
    }
    this.#bodyOf.clear();
    this.#newBodies = { data, spans };
  }

  /** A new event behind the row `after` (default: behind all), with that row's headers when `inherit`. */
  add(body, headers = {}, { after = this.count, inherit = false } = {}) {
    this.#added.push({ body: bytesOf(body), headers, after, inherit });
  }

  // ---- one event

  body(row) {
    const { data, spans } = this.#newBodies ?? this.bodies;
    return this.#bodyOf.get(row) ?? data.subarray(spans[2 * row], spans[2 * row + 1]);
  }

  setBody(row, body) { this.#bodyOf.set(row, bytesOf(body)); }

  headerOf(row, name) {
    const rows = this.#setRows.get(name);
    if (rows?.has(row)) return rows.get(row);
    if (this.#setAll.has(name)) {
      const value = this.#setAll.get(name);
      return typeof value === "string" ? value : value[row];
    }
    if (this.#remove.has(name) && (this.#remove.get(name)?.has(row) ?? true)) return null;
    return this.header(name)?.get(row) ?? null;
  }

  setHeaderOf(row, name, value) {
    let rows = this.#setRows.get(name);
    if (rows === undefined) this.#setRows.set(name, rows = new Map());
    rows.set(row, value);
  }

  removeHeaderOf(row, name) {
    if (this.#setAll.has(name)) { // Rows of a column that was set whole: it becomes one of single rows.
      const values = Array.from({ length: this.count }, (_, other) => this.headerOf(other, name));
      this.#setAll.delete(name);
      values.forEach((value, other) => this.setHeaderOf(other, name, value));
    }
    this.#setRows.get(name)?.delete(row);
    if (!this.#remove.has(name)) this.#remove.set(name, new Set());
    this.#remove.get(name)?.add(row);
  }

  /** Filters the event out. */
  drop(row) {
    if (this.#keep === null) {
      this.#keep = new BigUint64Array(Math.ceil(this.count / 64)).fill(0xffff_ffff_ffff_ffffn);
      this.#bits = new Uint32Array(this.#keep.buffer);
    }
    this.#bits[row >> 5] &= ~(1 << (row & 31));
  }

  reject(row, reason) { this.#rejected.push({ row, reason }); }

  // ---- what goes back

  edits() {
    const names = new Set([...this.#setAll.keys(), ...this.#setRows.keys()]);
    return {
      keep: this.#keep,
      bodies: this.#bodyChange(),
      removeHeaders: [...this.#remove].map(([name, rows]) => ({ name, rows: rows === null ? ALL : only([...rows]) })),
      setHeaders: [...names].map((name) => this.#column(name)).filter((column) => column !== null),
      rejected: this.#rejected,
      added: this.#addition(),
    };
  }

  #bodyChange() {
    if (this.#bodyOf.size === 0) return this.#newBodies === null ? null : { rows: ALL, bodies: this.#newBodies };
    if (this.#newBodies !== null || this.#bodyOf.size === this.count) {
      return { rows: ALL, bodies: pack(Array.from({ length: this.count }, (_, row) => this.body(row))) };
    }
    const rows = only([...this.#bodyOf.keys()]);
    return { rows, bodies: pack(Array.from(rows.val, (row) => this.#bodyOf.get(row))) };
  }

  #column(name) {
    const rows = this.#setRows.get(name);
    if (rows === undefined) return whole(name, this.#setAll.get(name));
    if (rows.size === 0 && !this.#setAll.has(name)) return null;
    if (this.#setAll.has(name) || rows.size === this.count) {
      return whole(name, Array.from({ length: this.count }, (_, row) => this.headerOf(row, name)));
    }
    const order = only([...rows.keys()]);
    return { name, rows: order, values: { tag: "each", val: packText(Array.from(order.val, (row) => rows.get(row))) } };
  }

  #addition() {
    if (this.#added.length === 0) return null;
    const added = this.#added.map((event) => event).sort((a, b) => a.after - b.after);
    if (added.some((event) => event.inherit !== added[0].inherit)) {
      throw new Error("events that inherit headers and others that do not were added to one batch");
    }
    const columns = new Map();
    added.forEach(({ headers }, row) => {
      for (const [name, value] of Object.entries(headers)) {
        if (!columns.has(name)) columns.set(name, { rows: [], values: [] });
        columns.get(name).rows.push(row);
        columns.get(name).values.push(value);
      }
    });
    return {
      after: Uint32Array.from(added, (event) => event.after),
      inheritHeaders: added[0].inherit,
      bodies: pack(added.map((event) => event.body)),
      headers: [...columns].map(([name, { rows, values }]) => (
        { name, rows: only(rows), values: { tag: "each", val: packText(values) } })),
    };
  }
}

/** Rows in ascending order, as the wire wants them. */
const only = (rows) => ({ tag: "only", val: Uint32Array.from(rows).sort() });
