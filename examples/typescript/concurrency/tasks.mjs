// Runs of one user at the same time: at most one, and what becomes of those that are too many.
// Each task has another strategy; the key of all is the user, so users never hinder each other.

import { setTimeout as sleep } from 'node:timers/promises';

import { ConcurrencyLimitStrategy, HatchetClient } from '@hatchet-dev/typescript-sdk';

export const hatchet = HatchetClient.init();

function onePerUser(name, limitStrategy, ms = 1500) {
  return hatchet.task({
    name,
    concurrency: { expression: 'input.user', maxRuns: 1, limitStrategy },
    fn: async ({ user, number }) => {
      const began = Date.now();
      await sleep(ms);
      return { user, number, began, ended: Date.now() };
    },
  });
}

// All run, one after the other; users take turns.
export const render = onePerUser('render', ConcurrencyLimitStrategy.GROUP_ROUND_ROBIN, 200);

// The newest runs: whoever types another word does not want the results of the last one.
export const search = onePerUser('search', ConcurrencyLimitStrategy.CANCEL_IN_PROGRESS);

// The first runs: a second backup while one is being made is of no use.
export const backup = onePerUser('backup', ConcurrencyLimitStrategy.CANCEL_NEWEST);

// One runs, and the newest of the others after it: it has the latest state.
export const publish = onePerUser(
  'publish',
  ConcurrencyLimitStrategy.CANCEL_QUEUED_EXCEPT_NEWEST
);

// One runs, and the oldest of the others after it: no queue longer than one.
export const exportAll = onePerUser(
  'export',
  ConcurrencyLimitStrategy.CANCEL_QUEUED_EXCEPT_OLDEST
);
