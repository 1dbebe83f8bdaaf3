// Makes a component of a core module:  node componentize.mjs CORE.wasm OUT.wasm [--wit FOLDER --world WORLD]
//
//     core module ──embed──▶ with its world ──new──▶ component
//                 (--wit)                    (the adapter from WASI 0.1 to 0.2, when the module imports WASI 0.1)
//
// Go modules do not say which world they are for: give --wit and --world. C modules do: their bindings carry it.
// The adapter beside this file is wasi_snapshot_preview1.reactor.wasm of the crate
// wasi-preview1-component-adapter-provider 46.0.1 (Apache-2.0 WITH LLVM-exception); from that version on it lets Go's
// allocator pause the clock, which Go guests need.
import { componentEmbed, componentNew } from "@bytecodealliance/jco-transpile/wasm-tools";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { wit: { type: "string" }, world: { type: "string" } },
});
if (positionals.length !== 2 || (values.wit === undefined) !== (values.world === undefined)) {
  console.error("usage: componentize.mjs CORE.wasm OUT.wasm [--wit FOLDER --world WORLD]");
  process.exit(2);
}

/** A folder of WIT files as one: they name the same package, which one file may do once. */
function witOf(folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith(".wit")).sort();
  const texts = files.map((name) => readFileSync(`${folder}/${name}`, "utf8"));
  const header = /^package\s.*;$/m;
  return [header.exec(texts[0])[0], ...texts.map((text) => text.replace(header, ""))].join("\n");
}

let binary = readFileSync(positionals[0]);
if (values.wit !== undefined) {
  binary = await componentEmbed({ binary, witSource: witOf(values.wit), world: values.world });
}
const adapter = readFileSync(new URL("wasi_snapshot_preview1.reactor.wasm", import.meta.url));
writeFileSync(positionals[1], await componentNew(binary, [["wasi_snapshot_preview1", adapter]]));
