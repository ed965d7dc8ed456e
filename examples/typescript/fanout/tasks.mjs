// A task that spawns a hundred others and adds up what they return.

import { HatchetClient } from '@hatchet-dev/typescript-sdk';

export const hatchet = HatchetClient.init();

export const countPage = hatchet.task({
  name: 'count-page',
  fn: async ({ number }) => ({ count: 200 + (number % 100) }),
});

export const countBook = hatchet.task({
  name: 'count-book',
  fn: async ({ pages }, ctx) => {
    // Runs that are started through the context are children of this task. If it is tried again,
    // it finds the same children, and those that have ended do not run twice.
    const numbers = Array.from({ length: pages }, (_, number) => number);
    const counted = await ctx.bulkRunChildren(
      numbers.map((number) => ({ workflow: countPage, input: { number } }))
    );
    return { count: counted.reduce((sum, { count }) => sum + count, 0) };
  },
});
