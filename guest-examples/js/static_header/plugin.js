// As the native interceptor `static`, with the same options: see guest-examples/README.md.
import { interceptor } from "../../sdk/js/flumen.js";

export const intercept = interceptor((options) => {
  const key = options.text("key", "key"), value = options.text("value", "value");
  // As Java's `Boolean.parseBoolean`: all else is false.
  const preserve = options.text("preserveExisting", "true").toLowerCase() === "true";
  return {
    needs: { body: false, headers: preserve ? [key] : null },
    intercept(batch) {
      const column = batch.header(key);
      if (column === null) return batch.setHeader(key, value);
      if (column.rows === null) return; // All have it.
      const have = new Set(column.rows);
      for (let row = 0; row < batch.count; row++) {
        if (!have.has(row)) batch.setHeaderOf(row, key, value);
      }
    },
  };
});
