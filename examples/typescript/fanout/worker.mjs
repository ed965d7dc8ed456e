// The worker: runs the tasks until Ctrl-C. Start a server with `hatchet server`, then: node worker.mjs

import { countBook, countPage, hatchet } from './tasks.mjs';

const worker = await hatchet.worker('fanout-worker', { slots: 100, workflows: [countBook, countPage] });
await worker.start();
