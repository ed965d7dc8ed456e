// Sticky workflows and labels, with the official SDK alone; each task tells where it runs.

import { WorkerLabelComparator } from '@hatchet-dev/typescript-sdk';

import { hatchet } from './tasks.mjs';

const place = (ctx) => ({ worker: ctx.worker.id(), host: String(ctx.worker.labels().host ?? '') });
const here = (name, more = {}) => hatchet.task({ name, fn: async (_, ctx) => place(ctx), ...more });

const staySoft = here('stay-soft', { sticky: 'soft' });
const stayHard = here('stay-hard', { sticky: 'hard' });

const together = hatchet.workflow({ name: 'together', sticky: 'hard' });
const first = together.task({ name: 'first', fn: async (_, ctx) => place(ctx) });
together.task({ name: 'second', parents: [first], fn: async (_, ctx) => place(ctx) });

export const routed = {
  where: here('where'),
  'on-right': here('on-right', {
    desiredWorkerLabels: { host: { value: 'right', required: true } },
  }),
  'in-mood': here('in-mood', {
    scheduleTimeout: '60s',
    desiredWorkerLabels: {
      mood: {
        value: 7,
        required: true,
        comparator: WorkerLabelComparator.GREATER_THAN_OR_EQUAL,
      },
    },
  }),
  'cheer-up': hatchet.task({
    name: 'cheer-up',
    fn: async ({ number }, ctx) => {
      // The others stay as they are, but this SDK remembers only what was sent last.
      await ctx.worker.upsertLabels({ ...ctx.worker.labels(), mood: number });
      return place(ctx);
    },
  }),
  'stay-soft': staySoft,
  'stay-hard': stayHard,
  'stay-parent': hatchet.task({
    name: 'stay-parent',
    fn: async (input, ctx) => {
      const children = [];
      for (const child of [staySoft, stayHard, staySoft, stayHard, staySoft, stayHard]) {
        // The SDK looks for it among the workflows of its worker, by the name with the namespace.
        const name = `${hatchet.config.namespace ?? ''}${child.name}`;
        const found = await ctx.runChild(name, input, { sticky: true });
        children.push(found[child.name].worker);
      }
      return { worker: ctx.worker.id(), children };
    },
  }),
  together,
};
