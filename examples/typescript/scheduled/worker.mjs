// The worker: runs the tasks until Ctrl-C. Start a server with `hatchet server`, then: node worker.mjs

import { remind, hatchet } from './tasks.mjs';

const worker = await hatchet.worker('scheduled-worker', { slots: 10, workflows: [remind] });
await worker.start();
