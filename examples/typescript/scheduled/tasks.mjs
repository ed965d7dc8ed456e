// A task that is asked for now and runs later.

import { HatchetClient } from '@hatchet-dev/typescript-sdk';

export const hatchet = HatchetClient.init();

export const remind = hatchet.task({
  name: 'remind',
  fn: async ({ to }) => {
    const text = `${to}, it is time`;
    console.log(text);
    return { text };
  },
});
