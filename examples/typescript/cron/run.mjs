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
let runs = [];
while (runs.length === 0) {
  await setTimeout(200);
  runs = (await hatchet.runs.list({ workflowNames: ['report'] })).rows;
}
const output = await hatchet.runs.runRef(runs.at(-1).workflowRunExternalId).output;
console.log(`result: ${output.report.text}`);
process.exit(0);
