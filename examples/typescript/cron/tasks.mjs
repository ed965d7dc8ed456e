// A task that the clock starts: every two seconds, and by a second cron with another input.

import { HatchetClient } from '@hatchet-dev/typescript-sdk';

export const hatchet = HatchetClient.init();

// Six fields begin with the second. Options stand before the fields: here a time zone, and that a
// run is left out while the one before goes on.
export const report = hatchet.task({
  name: 'report',
  onCrons: ['CRON_TZ=Europe/Berlin OVERLAP=SKIP */2 * * * * *'],
  fn: async ({ kind = 'by the clock' }, ctx) => {
    const planned = ctx.additionalMetadata().hatchet__cron_scheduled_at ?? 'no time';
    console.log(`report ${kind}, planned for ${planned}`);
    return { text: `report ${kind}` };
  },
});
