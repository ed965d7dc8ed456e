// Two tasks that refuse to do the same work twice: by time, and while it is under way.

import { setTimeout as sleep } from 'node:timers/promises';

import { HatchetClient } from '@hatchet-dev/typescript-sdk';

export const hatchet = HatchetClient.init();

// The key is an expression over the input and the metadata. Within a day each order is charged once,
// however often somebody asks for it and whatever became of the first run.
export const charge = hatchet.task({
  name: 'charge',
  idempotency: { strategy: 'ttl', expression: 'input.id', ttlMs: 24 * 60 * 60 * 1000 },
  fn: async ({ total }) => ({ text: `${total} paid` }),
});

// One at a time for each shop: the key is free again as soon as the run has ended, and at the latest
// after ten minutes.
export const rebuildIndex = hatchet.task({
  name: 'rebuild-index',
  idempotency: { strategy: 'status', expression: 'input.name', fallbackTtlMs: 10 * 60 * 1000 },
  fn: async () => {
    await sleep(1000);
    return { text: 'index rebuilt' };
  },
});
