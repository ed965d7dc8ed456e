// Label texts of two customers, and count words: node run.mjs, while worker.mjs runs.

import { countWords, label } from './tasks.mjs';

// Whoever runs a batch task does not know that it is one: each run has a result of its own.
const numbers = (count) => Array.from({ length: count }, (_, n) => n);
const labels = await label.run([
  ...numbers(150).map((n) => ({ customer: 'ann', words: `Where is order ${n}?` })),
  ...numbers(50).map((n) => ({ customer: 'bob', words: `Order ${n} has come.` })),
]);
console.log(`first: ${labels[0].label}, last: ${labels.at(-1).label}`);
const sizes = [...new Set(labels.map(({ togetherWith }) => togetherWith))].sort((a, b) => a - b);
console.log(`sizes of batches: ${sizes.join(', ')}`);

const few = ['one', 'two words', 'three more words'].map((words) => ({ customer: 'ann', words }));
const totals = await countWords.run(few);
console.log(`words: ${totals.map(({ words }) => words).join(', ')}`);
process.exit(0);
