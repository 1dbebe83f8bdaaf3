// {{name}}: sets a header on every event, and drops the events whose body is empty.
import { interceptor } from "./sdk/flumen.js";

export const intercept = interceptor((options) => {
  const header = options.text("header", "{{name}}");
  const value = options.text("value", "true");
  return {
    needs: { body: true },
    intercept(batch) {
      batch.setHeader(header, value); // All events at once.
      for (const event of batch) { // Or one by one.
        if (event.body.length === 0) event.drop();
      }
    },
  };
});
