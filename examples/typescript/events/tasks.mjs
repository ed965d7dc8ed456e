// A task that events start: those of a kind, and of these only large orders of one shop.

import { HatchetClient } from '@hatchet-dev/typescript-sdk';

export const hatchet = HatchetClient.init();

// The payload of an event is the input of the run. A filter looks at events of its scope: the
// expression sees the payload as `input`, and its own data as `payload`.
export const notify = hatchet.task({
  name: 'notify',
  onEvents: ['order:*'],
  defaultFilters: [
    {
      expression: 'input.total >= payload.at_least',
      scope: 'shop-1',
      payload: { at_least: 100 },
    },
  ],
  fn: async ({ id, total }, ctx) => {
    const text = `order ${id}: ${total} is ${ctx.filterPayload().at_least} or more`;
    console.log(text);
    return { text };
  },
});
