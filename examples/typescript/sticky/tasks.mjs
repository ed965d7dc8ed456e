// Tasks that stay on one worker, because something in its memory or on its disk is there.

import { HatchetClient } from '@hatchet-dev/typescript-sdk';

export const hatchet = HatchetClient.init();

// soft: the same worker if it has room, else another one. hard: only the same.
export const film = hatchet.workflow({ name: 'film', sticky: 'hard' });

const fetch = film.task({
  name: 'fetch',
  fn: async (_, ctx) => ({ worker: ctx.worker.id() }),
});

// Finds on disk what `fetch` has left there.
film.task({
  name: 'cut',
  parents: [fetch],
  fn: async (_, ctx) => ({ worker: ctx.worker.id() }),
});
