// Write two letters and approve the first: node run.mjs, while worker.mjs runs.
// The second one waits ten seconds for a decision that does not come.

import { setTimeout as sleep } from 'node:timers/promises';

import { hatchet, letter } from './tasks.mjs';

const first = await letter.runNoWait({ text: 'Dear Ada' });
// An event reaches those that wait when it comes: give the run a moment to get there.
await sleep(2000);
await hatchet.events.push('letter:decided', { approved: true, by: 'Bob' });
console.log((await first.output).report.text);

const start = Date.now();
const second = await letter.run({ text: 'Dear nobody' });
console.log(`${second.report.text} after ${Math.round((Date.now() - start) / 1000)} s`);
process.exit(0);
