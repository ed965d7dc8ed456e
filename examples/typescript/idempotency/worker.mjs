// The worker: runs the tasks until Ctrl-C. Start a server with `hatchet server`, then: node worker.mjs

import { charge, hatchet, rebuildIndex } from './tasks.mjs';

const workflows = [charge, rebuildIndex];
const worker = await hatchet.worker('idempotency-worker', { slots: 10, workflows });
await worker.start();
