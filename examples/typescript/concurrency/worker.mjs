// The worker: runs the tasks until Ctrl-C. Start a server with `hatchet server`, then: node worker.mjs

import { backup, exportAll, hatchet, publish, render, search } from './tasks.mjs';

const worker = await hatchet.worker('concurrency-worker', {
  slots: 50,
  workflows: [render, search, backup, publish, exportAll],
});
await worker.start();
