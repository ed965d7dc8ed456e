// A task that sends its text piece by piece, while it runs.

import { setTimeout as sleep } from 'node:timers/promises';
import { HatchetClient } from '@hatchet-dev/typescript-sdk';

export const hatchet = HatchetClient.init();

const STORY = `Once upon a time there was a queue. It was long, and nobody knew who came next.
Then somebody wrote the order down, and everyone waited happily ever after.
`;

export const tellStory = hatchet.task({
  name: 'tell-story',
  fn: async ({ name }, ctx) => {
    const text = STORY.replace('queue', name);
    for (const word of text.split(' ')) {
      await ctx.putStream(`${word} `);
      await sleep(50);
    }
    return { characters: text.length };
  },
});
