// Start more runs than may run, by each strategy: node run.mjs, while worker.mjs runs.

import { setTimeout as sleep } from 'node:timers/promises';

import { backup, exportAll, hatchet, publish, render, search } from './tasks.mjs';

const ENDED = ['COMPLETED', 'CANCELLED', 'FAILED'];

// How many of these ran at the same time at most.
function mostAtOnce(pages) {
  const beside = (page) => pages.filter((one) => one.began <= page.began && page.began < one.ended);
  return Math.max(...pages.map((page) => beside(page).length));
}

// How four runs of one user end, started one right after the other.
async function ends(task) {
  const ids = [];
  for (let number = 0; number < 4; number += 1) {
    const run = await task.runNoWait({ user: 'ann', number });
    ids.push(await run.getWorkflowRunId());
  }
  const statuses = [];
  for (const id of ids) {
    let status = await hatchet.runs.get_status(id);
    while (!ENDED.includes(status)) {
      await sleep(100);
      status = await hatchet.runs.get_status(id);
    }
    statuses.push(status.toLowerCase());
  }
  return statuses.join(', ');
}

const numbers = [0, 1, 2, 3];
const jobs = ['ann', 'bob'].flatMap((user) => numbers.map((number) => ({ user, number })));
const pages = await render.run(jobs);
for (const user of ['ann', 'bob']) {
  const mine = pages.filter((page) => page.user === user);
  console.log(`render: ${mine.length} pages of ${user}, ${mostAtOnce(mine)} at once`);
}

console.log(`search: ${await ends(search)}`);
console.log(`backup: ${await ends(backup)}`);
console.log(`publish: ${await ends(publish)}`);
console.log(`export: ${await ends(exportAll)}`);
process.exit(0);
