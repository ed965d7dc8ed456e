// Schedule runs, move one, delete one: node run.mjs, while worker.mjs runs.

import { setTimeout } from 'node:timers/promises';

import { hatchet, remind } from './tasks.mjs';

const inSeconds = (seconds) => new Date(Date.now() + seconds * 1000);

await remind.schedule(inSeconds(1), { to: 'Ada' });
const bob = await hatchet.schedules.create(remind, { triggerAt: inSeconds(3600), input: { to: 'Bob' } });
const eve = await remind.delay(3600, { to: 'Eve' });
await hatchet.schedules.update(bob.metadata.id, { triggerAt: inSeconds(2) });
await hatchet.schedules.delete(eve);

const { rows } = await hatchet.schedules.list({ statuses: ['SCHEDULED'] });
console.log(`scheduled: ${rows.length}`);

let runs = [];
while (runs.length < 2) {
  await setTimeout(200);
  runs = (await hatchet.runs.list({ workflowNames: ['remind'] })).rows;
}
for (const run of runs.reverse()) {
  const output = await hatchet.runs.runRef(run.workflowRunExternalId).output;
  console.log(output.remind.text);
}
process.exit(0);
