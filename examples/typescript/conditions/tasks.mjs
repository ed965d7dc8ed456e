// A task that waits for an event, but not longer than ten seconds, and two ways to go on.

import { HatchetClient, Or } from '@hatchet-dev/typescript-sdk';

export const hatchet = HatchetClient.init();

export const letter = hatchet.workflow({ name: 'letter' });

const write = letter.task({ name: 'write', fn: async ({ text }) => ({ text }) });

// Starts when someone has decided, or ten seconds after `write` has completed: what comes first.
const decide = letter.task({
  name: 'decide',
  parents: [write],
  waitFor: Or({ sleepFor: '10s' }, { eventKey: 'letter:decided', expression: "input.by != ''" }),
  fn: async (_, ctx) => {
    // `triggers` holds the data of what was met: here the payload of the event.
    return ctx.triggers()['letter:decided'] ?? { approved: false, by: 'nobody' };
  },
});

// Of these two, one runs and one is skipped.
const send = letter.task({
  name: 'send',
  parents: [decide],
  skipIf: { parent: decide, expression: '!output.approved' },
  fn: async ({ text }) => ({ text: `sent: ${text}` }),
});

const shred = letter.task({
  name: 'shred',
  parents: [decide],
  skipIf: { parent: decide, expression: 'output.approved' },
  fn: async ({ text }) => ({ text: `shredded: ${text}` }),
});

letter.task({
  name: 'report',
  parents: [decide, send, shred],
  fn: async (_, ctx) => {
    const { by } = await ctx.parentOutput(decide);
    const sent = await ctx.parentOutput(send);
    const { text } = sent.skipped ? await ctx.parentOutput(shred) : sent;
    return { text: `${text} (decided by ${by})` };
  },
});
