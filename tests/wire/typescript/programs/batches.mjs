// Batch tasks, with the official SDK alone.

import { setTimeout as sleep } from 'node:timers/promises';

import { hatchet } from './tasks.mjs';

// A task that tells each member with which others it came.
function gathered(name, maxSize, intervalMs, groupKey) {
  return hatchet.batchTask({
    name,
    executionTimeout: '30s',
    batch: { maxSize, maxInterval: intervalMs, groupKey },
    fn: async (inputs) => {
      const ids = Object.keys(inputs).sort();
      return Object.fromEntries(
        Object.entries(inputs).map(([id, { number, group }]) => [
          id,
          { number, group, size: ids.length, batch: ids[0] },
        ])
      );
    },
  });
}

const none = (inputs) => Object.fromEntries(Object.keys(inputs).map((id) => [id, { number: 0 }]));

export const batches = {
  'batch-three': gathered('batch-three', 3, 1_000),
  'batch-grouped': gathered('batch-grouped', 2, 30_000, 'input.group'),
  'batch-short': gathered('batch-short', 3, 1_000),
  'batch-bytes': gathered('batch-bytes', 1_000, 3_000),
  'batch-picky': gathered('batch-picky', 2, 300, 'input.nothing'),
  'batch-broadcast': hatchet.batchTask({
    name: 'batch-broadcast',
    batch: { maxSize: 3, maxInterval: 2_000, broadcastOutput: true },
    fn: async (inputs) => ({
      sum: Object.values(inputs).reduce((sum, { number }) => sum + number, 0),
    }),
  }),
  'batch-cancelled': hatchet.batchTask({
    name: 'batch-cancelled',
    batch: { maxSize: 2, maxInterval: 2_000 },
    fn: async (inputs, ctx) => {
      await ctx.cancel();
      return none(inputs);
    },
  }),
  'batch-slow': hatchet.batchTask({
    name: 'batch-slow',
    executionTimeout: '1s',
    batch: { maxSize: 2, maxInterval: 2_000 },
    fn: async (inputs) => {
      await sleep(10_000);
      return none(inputs);
    },
  }),
};
