// Make a cron besides the declared one, wait for a run, remove it: node run.mjs, while worker.mjs runs.

import { setTimeout } from 'node:timers/promises';

import { hatchet, report } from './tasks.mjs';

const { rows: declared } = await hatchet.crons.list({ workflow: report });
console.log(`declared: ${declared[0].cron}`);

// A second cron of the same task, with a name and an input of its own.
const made = await report.cron('often', '* * * * *', { kind: 'by hand' });
console.log(`made: ${made.name} ${made.cron}`);
await hatchet.crons.delete(made);

// The declared one goes on meanwhile.
let lastRunId;
while (!lastRunId) {
  await setTimeout(200);
  ({ lastRunId } = await hatchet.crons.get(declared[0]));
}
const output = await hatchet.runs.runRef(lastRunId).output;
console.log(`result: ${output.report.text}`);
process.exit(0);
