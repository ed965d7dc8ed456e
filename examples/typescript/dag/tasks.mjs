// A workflow of four tasks: two of them run side by side, and one only if something fails.

import { HatchetClient } from '@hatchet-dev/typescript-sdk';

export const hatchet = HatchetClient.init();

export const order = hatchet.workflow({ name: 'order' });

const addUp = order.task({
  name: 'add-up',
  fn: async ({ prices }) => ({ cents: prices.reduce((sum, price) => sum + price, 0) }),
});

const findDiscount = order.task({
  name: 'find-discount',
  fn: async ({ customer }) => ({ percent: customer === 'Ada' ? 10 : 0 }),
});

// Runs when both parents have completed. `parentOutput` gives what they returned.
order.task({
  name: 'write-invoice',
  parents: [addUp, findDiscount],
  fn: async ({ customer }, ctx) => {
    const { cents } = await ctx.parentOutput(addUp);
    const { percent } = await ctx.parentOutput(findDiscount);
    if (cents === 0) {
      throw new Error('nothing was ordered');
    }
    return { text: `${customer} pays ${((cents * (100 - percent)) / 10000).toFixed(2)}` };
  },
});

// Runs when a task has failed for good, after its retries.
order.onFailure({
  name: 'apologize',
  fn: async ({ customer }, ctx) => {
    console.log(`sorry, ${customer}: ${Object.keys(ctx.errors())} failed`);
  },
});
