// Run the workflow twice, the second time with a failure: node run.mjs, while worker.mjs runs.

import { order } from './tasks.mjs';

// The result of a workflow holds the output of each task, by its name.
const result = await order.run({ customer: 'Ada', prices: [1200, 800] });
console.log(result['write-invoice'].text);

try {
  await order.run({ customer: 'Bob', prices: [] });
} catch (errors) {
  // What the tasks that failed have thrown, each as JSON with its message and its stack.
  for (const error of errors) {
    console.log(`failed as expected: ${JSON.parse(error).message}`);
  }
}
process.exit(0);
