// The worker: runs the tasks until Ctrl-C. Start a server with `hatchet server`, then: node worker.mjs

import { letter, hatchet } from './tasks.mjs';

const worker = await hatchet.worker('conditions-worker', { slots: 10, workflows: [letter] });
await worker.start();
