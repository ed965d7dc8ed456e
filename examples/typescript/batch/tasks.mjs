// A task whose function is called once for many runs: one request to a model for all of them.

import { setTimeout as sleep } from 'node:timers/promises';

import { HatchetClient } from '@hatchet-dev/typescript-sdk';

export const hatchet = HatchetClient.init();

// As dear for one text as for a hundred.
async function askModel(texts) {
  await sleep(200);
  return texts.map((text) => (text.endsWith('?') ? 'question' : 'statement'));
}

// A batch goes to a worker when it holds 100 runs, or when its first one has waited for half a
// second. Runs of different customers never come together. A batch takes one slot.
export const label = hatchet.batchTask({
  name: 'label',
  batch: { maxSize: 100, maxInterval: 500, groupKey: 'input.customer' },
  fn: async (inputs) => {
    const members = Object.keys(inputs);
    const labels = await askModel(members.map((member) => inputs[member].words));
    // One result for each run, under the id of its input.
    return Object.fromEntries(
      members.map((member, n) => [member, { label: labels[n], togetherWith: members.length }])
    );
  },
});

// One result for all runs of a batch.
export const countWords = hatchet.batchTask({
  name: 'count-words',
  batch: { maxSize: 3, maxInterval: '5s', broadcastOutput: true },
  fn: async (inputs) => ({
    words: Object.values(inputs).flatMap(({ words }) => words.split(' ')).length,
  }),
});
