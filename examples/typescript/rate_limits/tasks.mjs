// Tasks that use an API which allows so many calls per second: of all, and of each user.

import { HatchetClient, RateLimitDuration } from '@hatchet-dev/typescript-sdk';

export const hatchet = HatchetClient.init();

export const MAIL_API = 'mail-api';

// Static: a limit that is put by name, see run.mjs. All tasks that name it share it.
export const send = hatchet.task({
  name: 'send',
  rateLimits: [{ staticKey: MAIL_API, units: 1 }],
  fn: async ({ to }) => ({ to }),
});

// Dynamic: a limit for each user, made when the first task asks for it. A fax of many pages takes
// many units.
export const fax = hatchet.task({
  name: 'fax',
  rateLimits: [
    {
      dynamicKey: "'fax-' + input.to",
      units: 'input.pages',
      limit: 4,
      duration: RateLimitDuration.SECOND,
    },
  ],
  fn: async ({ to }) => ({ to }),
});
