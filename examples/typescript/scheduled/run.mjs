// Schedule runs, move one, delete one: node run.mjs, while worker.mjs runs.

import { setTimeout } from 'node:timers/promises';

import { hatchet, remind } from './tasks.mjs';

const inSeconds = (seconds) => new Date(Date.now() + seconds * 1000);

const ada = await remind.schedule(inSeconds(1), { to: 'Ada' });
const bob = await hatchet.schedules.create(remind, { triggerAt: inSeconds(3600), input: { to: 'Bob' } });
const eve = await remind.delay(3600, { to: 'Eve' });
await hatchet.schedules.update(bob.metadata.id, { triggerAt: inSeconds(2) });
await hatchet.schedules.delete(eve);

const { rows } = await hatchet.schedules.list({ workflow: remind });
console.log(`scheduled: ${rows.length}`);

// What has fired stays in the list, with its run.
for (const { metadata } of [ada, bob]) {
  let workflowRunId;
  while (!workflowRunId) {
    await setTimeout(200);
    ({ workflowRunId } = await hatchet.schedules.get(metadata.id));
  }
  const output = await hatchet.runs.runRef(workflowRunId).output;
  console.log(output.remind.text);
}
process.exit(0);
