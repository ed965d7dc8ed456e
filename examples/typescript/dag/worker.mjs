// The worker: runs the tasks until Ctrl-C. Start a server with `hatchet server`, then: node worker.mjs

import { order, hatchet } from './tasks.mjs';

const worker = await hatchet.worker('dag-worker', { slots: 10, workflows: [order] });
await worker.start();
