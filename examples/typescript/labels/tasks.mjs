// Tasks that choose their worker by its labels.

import { HatchetClient, WorkerLabelComparator } from '@hatchet-dev/typescript-sdk';

export const hatchet = HatchetClient.init();

// A must: without such a worker the task waits, and `hatchet why` says which label is missing.
export const transcribe = hatchet.task({
  name: 'transcribe',
  desiredWorkerLabels: {
    memory: {
      value: 16,
      required: true,
      comparator: WorkerLabelComparator.GREATER_THAN_OR_EQUAL,
    },
  },
  fn: async (_, ctx) => ({ madeOn: ctx.worker.labels().host }),
});

// A preference: the worker near the archive if it has room, else any other.
export const store = hatchet.task({
  name: 'store',
  desiredWorkerLabels: { host: { value: 'small', weight: 10 } },
  fn: async (_, ctx) => ({ madeOn: ctx.worker.labels().host }),
});
