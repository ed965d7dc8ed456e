// Start letters of several priorities: node run.mjs, while worker.mjs runs.

import { Priority } from '@hatchet-dev/typescript-sdk';

import { printLetter } from './tasks.mjs';

const letters = [
  ['advert 1', Priority.LOW],
  ['advert 2', Priority.LOW],
  ['advert 3', Priority.LOW],
  ['invoice', Priority.MEDIUM],
  ['ticket 1', Priority.HIGH],
  ['ticket 2', Priority.HIGH],
];
const runs = [];
for (const [title, priority] of letters) {
  runs.push(await printLetter.runNoWait({ title }, { priority }));
}
const printed = await Promise.all(runs.map((run) => run.output));
printed.sort((one, other) => one.at - other.at);
console.log(printed.map(({ title }) => title).join(', '));
process.exit(0);
