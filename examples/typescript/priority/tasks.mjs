// A task with a priority: what is more urgent overtakes what waits.

import { setTimeout as sleep } from 'node:timers/promises';

import { HatchetClient, Priority } from '@hatchet-dev/typescript-sdk';

export const hatchet = HatchetClient.init();

// Runs that say nothing have this priority. Among equal ones the oldest goes first.
export const printLetter = hatchet.task({
  name: 'print',
  defaultPriority: Priority.LOW,
  fn: async ({ title }) => {
    const at = Date.now();
    await sleep(300);
    return { title, at };
  },
});
